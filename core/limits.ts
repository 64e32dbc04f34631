/** A limit of the server, set in the config as `limits`. */
export interface LimitDefinition<Name extends string = string> {
  /** Key in the config: the limit's own name, or `plugin.limit` for a plugin that does not come with the server. */
  readonly name: Name
  /** Default value. */
  readonly value: number
  readonly unit: 'bytes' | 'ms' | 'count' | 'per second' | 'per minute' | 'per hour'
  /** Meaning, and what happens beyond it. */
  readonly about: string
  /** Highest setting; none if left out. */
  readonly max?: number
  /** True for a rate per address or per user, which `--limits off` lifts. */
  readonly isLiftable: boolean
}

type Bound = Omit<LimitDefinition, 'name'>
type Bounds = { readonly [name: string]: Bound }

export type LimitDefinitions = { readonly [key: string]: LimitDefinition }
/** Values in force of these limits. */
export type LimitValues<D extends LimitDefinitions> = { readonly [K in keyof D]: number }
/** Limits set by the operator, by name in the config; missing ones have their defaults. */
export type LimitSettings = { readonly [name: string]: number | undefined }

/** @param max highest setting, where the protocol carries no more */
export const limit = (value: number, unit: Bound['unit'], about: string, max?: number): Bound => ({
  value,
  unit,
  about,
  isLiftable: false,
  ...(max !== undefined && { max }),
})

/** A rate per address or per user, which `--limits off` lifts for tests, benchmarks and bulk imports on loopback. */
export const liftable = (...bound: Parameters<typeof limit>): Bound => ({ ...limit(...bound), isLiftable: true })

/** Defines limits of the server itself or of a built-in plugin, by name. */
export const defineLimits = <const B extends Bounds>(
  bounds: B,
): { readonly [K in keyof B & string]: LimitDefinition<K> } => named(bounds, '') as never

/**
 * Defines limits of a plugin that does not come with the server.
 * @param plugin name of the plugin: the limit `open` is called `plugin.open` in the config
 */
export const pluginLimits = <const P extends string, const B extends Bounds>(
  plugin: P,
  bounds: B,
): { readonly [K in keyof B & string]: LimitDefinition<`${P}.${K}`> } => named(bounds, `${plugin}.`) as never

const named = (bounds: Bounds, prefix: string): LimitDefinitions =>
  Object.fromEntries(Object.entries(bounds).map(([key, bound]) => [key, { ...bound, name: prefix + key }]))

/** The limits that the server itself reads; those of features are in plugins/NAME/limits.ts. */
export const LIMITS = defineLimits({
  messageBeforeLogin: limit(4096, 'bytes', 'length of one message before login; beyond it the connection is closed'),
  messagesBeforeLogin: limit(8, 'count', 'messages before login; beyond it the connection is closed'),
  partsBeforeLogin: limit(
    100,
    'count',
    'records before login that complete no message; beyond it the connection is closed',
  ),
  formatBeforeLogin: limit(
    255,
    'bytes',
    'length of the format of a message before login; beyond it the connection is closed',
  ),
  valuesBeforeLogin: limit(64, 'count', 'values in one message before login; beyond it the connection is closed'),
  message: limit(256 * 1024, 'bytes', 'length of one message after login; beyond it the connection is closed'),
  format: limit(
    16 * 1024,
    'bytes',
    'length of the format of a message after login; beyond it the connection is closed',
  ),
  values: limit(8192, 'count', 'values in one message after login; beyond it the connection is closed'),
  handshake: limit(5000, 'ms', 'time from connect to the end of the handshake; beyond it the connection is closed'),
  login: limit(20_000, 'ms', 'time from the handshake to the login; beyond it the connection is closed'),
  unauthenticated: liftable(
    200,
    'count',
    'connections before login; beyond it a new one evicts one of the address or /48 with most, at random among the least advanced',
  ),
  unauthenticatedPerAddress: liftable(
    10,
    'count',
    'connections before login from one IPv4 address or IPv6 /64, eight times as many from a /48; beyond it a new one evicts one of them',
  ),
  connectRate: liftable(
    20,
    'per second',
    'new connections from one IPv4 address or IPv6 /64; beyond rate and burst they are closed at once',
  ),
  connectBurst: liftable(200, 'count', 'new connections from one IPv4 address or IPv6 /64 before the rate applies'),
  connections: limit(10_000, 'count', 'connections in all; beyond it a new one is closed at once'),
  sessionsPerUser: limit(10, 'count', 'sessions of one user, on all nodes of a cluster; beyond it a login is refused'),
  sessionsPerAddress: liftable(
    2000,
    'count',
    'sessions of all users from one IPv4 address or IPv6 /64; beyond it a login is refused',
  ),
  requestRate: liftable(
    20,
    'per second',
    'requests of one user, each 4 KiB of one counted as one more; beyond rate and burst, reading pauses',
  ),
  requestBurst: liftable(200, 'count', 'requests of one user before the rate applies'),
  requestPause: limit(5000, 'ms', 'longest pause in reading because of the rate; beyond it requests are refused'),
  requestsAtOnce: limit(
    4,
    'count',
    'requests of one user in flight at once, except messages and signals; beyond it further ones wait',
  ),
  signalRate: liftable(
    500,
    'per second',
    'acknowledgements and pings of one user; beyond rate and burst, reading pauses',
  ),
  signalBurst: liftable(5000, 'count', 'acknowledgements and pings of one user before the rate applies'),
  requestsInFlight: limit(256, 'count', 'unanswered requests of a connection; beyond it reading pauses'),
  ping: limit(60_000, 'ms', 'silence of a client after which the server sends keep_alive'),
  dead: limit(150_000, 'ms', 'silence of a client after which its connection is closed'),
  outboundSoft: limit(256 * 1024, 'bytes', 'unsent output of one connection; beyond it pushes stay in the database'),
  outboundHard: limit(1024 * 1024, 'bytes', 'unsent output of one connection; beyond it the connection is closed'),
  outboundStall: limit(
    15_000,
    'ms',
    'time in which the client reads none of its output; beyond it the connection is closed',
  ),
  presenceRate: limit(
    1000,
    'per second',
    'presence pushes caused by one user; beyond it only the latest state is pushed, later',
  ),
  stall: limit(
    30_000,
    'ms',
    'time in which the event loop makes no progress; beyond it the process ends itself; 0: no limit',
  ),
  httpConnections: limit(
    1000,
    'count',
    'HTTP connections in all, WebSockets not counted; beyond it a new one is closed at once',
  ),
  httpConnectionsPerAddress: liftable(
    100,
    'count',
    'HTTP connections from one IPv4 address or IPv6 /64 that is no trusted proxy; beyond it a new one is closed at once',
  ),
  httpRate: liftable(
    50,
    'per second',
    'HTTP requests from one IPv4 address or IPv6 /64; beyond rate and burst they are refused with status 429',
  ),
  httpBurst: liftable(1000, 'count', 'HTTP requests from one IPv4 address or IPv6 /64 before the rate applies'),
  httpBody: limit(64 * 1024, 'bytes', 'body of an HTTP request, unless its route sets another limit; beyond it 413'),
  httpHeaders: limit(10_000, 'ms', 'time in which the header of an HTTP request arrives; beyond it 408'),
  httpRequest: limit(30_000, 'ms', 'time in which a whole HTTP request arrives; beyond it 408'),
  httpIdle: limit(30_000, 'ms', 'silence of an HTTP connection in a request or response; beyond it it is closed'),
  httpKeepAlive: limit(10_000, 'ms', 'time between two requests of an HTTP connection; beyond it it is closed'),
  drain: limit(10_000, 'ms', 'time for requests in flight at shutdown; beyond it they are aborted'),
})

export type LimitName = keyof typeof LIMITS
export interface Limits extends LimitValues<typeof LIMITS> {}

/** Settings of `--limits off`: lift the liftable limits of the server and of these plugins. */
export const ratesOff = (plugins: Iterable<{ readonly limits?: LimitDefinitions }> = []): LimitSettings =>
  Object.fromEntries(
    [LIMITS, ...[...plugins].map(({ limits = {} }) => limits)]
      .flatMap((limits: LimitDefinitions) => Object.values(limits))
      .filter(({ isLiftable }) => isLiftable)
      .map(({ name }) => [name, Number.MAX_SAFE_INTEGER]),
  )
