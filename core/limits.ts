/** A bound of the server, set in the config as `limits`. */
export interface LimitDefinition<Name extends string = string> {
  /** In the config: the limit's own name, or `plugin.limit` for a plugin that does not come with the server. */
  readonly name: Name
  /** By default. */
  readonly value: number
  readonly unit: 'bytes' | 'ms' | 'count' | 'per second' | 'per minute' | 'per hour'
  /** Meaning, and what happens beyond it. */
  readonly about: string
  /** Lifted by `--limits off`: a rate per address or per user. */
  readonly isLiftable: boolean
}

type Bound = Omit<LimitDefinition, 'name'>
type Bounds = { readonly [name: string]: Bound }

export type LimitDefinitions = { readonly [key: string]: LimitDefinition }
/** The limits in force of these definitions. */
export type LimitValues<D extends LimitDefinitions> = { readonly [K in keyof D]: number }
/** Limits as an operator sets them, by their names in the config; what is left out has its default. */
export type LimitSettings = { readonly [name: string]: number | undefined }

export const limit = (value: number, unit: Bound['unit'], about: string): Bound => ({
  value,
  unit,
  about,
  isLiftable: false,
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
  messageBeforeLogin: limit(4096, 'bytes', 'one message of a stranger; beyond it the connection is closed'),
  messagesBeforeLogin: limit(8, 'count', 'messages of a stranger; beyond it the connection is closed'),
  formatBeforeLogin: limit(255, 'bytes', 'the format of a stranger’s message; beyond it the connection is closed'),
  valuesBeforeLogin: limit(64, 'count', 'values in a stranger’s message; beyond it the connection is closed'),
  message: limit(256 * 1024, 'bytes', 'one message of a user; beyond it the connection is closed'),
  format: limit(16 * 1024, 'bytes', 'the format of a user’s message; beyond it the connection is closed'),
  values: limit(8192, 'count', 'values in a user’s message; beyond it the connection is closed'),
  handshake: limit(5000, 'ms', 'from connect to the end of the handshake; beyond it the connection is closed'),
  login: limit(20_000, 'ms', 'from connect to logged in; beyond it the connection is closed'),
  unauthenticated: liftable(
    200,
    'count',
    'connections not logged in; beyond it one is closed for a new one: of the network with most, by lot among those that have done least',
  ),
  unauthenticatedPerAddress: liftable(
    10,
    'count',
    'the same, of one IPv4 address or IPv6 /64, and eight times as many of a /48',
  ),
  connectRate: liftable(
    20,
    'per second',
    'new connections from one IPv4 address or IPv6 /64; beyond it and the burst they are closed at once',
  ),
  connectBurst: liftable(200, 'count', 'new connections from there at once before the rate holds'),
  connections: limit(10_000, 'count', 'connections in all; beyond it a new one is closed at once'),
  sessionsPerUser: limit(10, 'count', 'sessions of one user; beyond it a login is refused'),
  requestRate: liftable(20, 'per second', 'requests of one user; beyond it and the burst, reading pauses'),
  requestBurst: liftable(200, 'count', 'requests a user may send at once before the rate holds'),
  requestPause: limit(5000, 'ms', 'longest pause in reading for the rate; beyond it requests are refused'),
  requestsAtOnce: limit(
    4,
    'count',
    'requests of one user that run at once, messages and signals apart; beyond it the next ones wait',
  ),
  signalRate: liftable(
    500,
    'per second',
    'acknowledgements and pings of one user; beyond it and the burst, reading pauses',
  ),
  signalBurst: liftable(5000, 'count', 'acknowledgements and pings of a user at once before the rate holds'),
  requestsInFlight: limit(256, 'count', 'unanswered requests of a connection; beyond it reading pauses'),
  ping: limit(60_000, 'ms', 'silence after which the client is asked whether it lives'),
  dead: limit(150_000, 'ms', 'silence after which a connection is closed'),
  outboundSoft: limit(256 * 1024, 'bytes', 'unsent to one connection; beyond it pushes stay in the database'),
  outboundHard: limit(1024 * 1024, 'bytes', 'unsent to one connection; beyond it the connection is closed'),
  outboundStall: limit(15_000, 'ms', 'without the peer reading anything; beyond it the connection is closed'),
  presenceRate: limit(
    1000,
    'per second',
    'pushes that tell of one user coming and going; beyond it only the outcome is told, later',
  ),
  stall: limit(30_000, 'ms', 'without the server doing anything; beyond it the process ends itself; 0 is no bound'),
  drain: limit(10_000, 'ms', 'for requests under way when the server stops; beyond it they are cut'),
})

export type LimitName = keyof typeof LIMITS
export interface Limits extends LimitValues<typeof LIMITS> {}

/** Settings that lift what `--limits off` lifts, of the server itself and of these plugins. */
export const ratesOff = (plugins: Iterable<{ readonly limits?: LimitDefinitions }> = []): LimitSettings =>
  Object.fromEntries(
    [LIMITS, ...[...plugins].map(({ limits = {} }) => limits)]
      .flatMap((limits: LimitDefinitions) => Object.values(limits))
      .filter(({ isLiftable }) => isLiftable)
      .map(({ name }) => [name, Number.MAX_SAFE_INTEGER]),
  )
