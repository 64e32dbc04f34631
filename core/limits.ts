/** Every limit of the server: its default, unit, reason, and what happens beyond it. Set in the config as `limits`. */

interface Limit {
  readonly value: number
  readonly unit: 'bytes' | 'ms' | 'count' | 'per second' | 'per minute' | 'per hour'
  readonly about: string
}

const limit = (value: number, unit: Limit['unit'], about: string): Limit => ({ value, unit, about })

export const LIMITS = {
  messageBeforeLogin: limit(4096, 'bytes', 'one message of a stranger; beyond it the connection is closed'),
  messagesBeforeLogin: limit(8, 'count', 'messages of a stranger; beyond it the connection is closed'),
  formatBeforeLogin: limit(255, 'bytes', 'the format of a stranger’s message; beyond it the connection is closed'),
  valuesBeforeLogin: limit(64, 'count', 'values in a stranger’s message; beyond it the connection is closed'),
  message: limit(256 * 1024, 'bytes', 'one message of a user; beyond it the connection is closed'),
  format: limit(16 * 1024, 'bytes', 'the format of a user’s message; beyond it the connection is closed'),
  values: limit(8192, 'count', 'values in a user’s message; beyond it the connection is closed'),
  text: limit(16 * 1024, 'bytes', 'UTF-8 text of one chat message; beyond it the message is refused'),
  handshake: limit(5000, 'ms', 'from connect to the end of the handshake; beyond it the connection is closed'),
  login: limit(20_000, 'ms', 'from connect to logged in; beyond it the connection is closed'),
  unauthenticated: limit(
    200,
    'count',
    'connections not logged in; beyond it one is closed for a new one: of the network with most, by lot among those that have done least',
  ),
  unauthenticatedPerAddress: limit(
    10,
    'count',
    'the same, of one IPv4 address or IPv6 /64, and eight times as many of a /48',
  ),
  connectRate: limit(
    20,
    'per second',
    'new connections from one IPv4 address or IPv6 /64; beyond it and the burst they are closed at once',
  ),
  connectBurst: limit(200, 'count', 'new connections from there at once before the rate holds'),
  connections: limit(10_000, 'count', 'connections in all; beyond it a new one is closed at once'),
  sessionsPerUser: limit(10, 'count', 'sessions of one user; beyond it a login is refused'),
  logins: limit(
    300,
    'per minute',
    'logins and changes of the password of one user, ten times that for a bot; beyond it they are refused',
  ),
  loginFailures: limit(5, 'per minute', 'failed logins to one account from one address; beyond it they are refused'),
  loginFailuresPerAddress: limit(
    20,
    'per hour',
    'failed logins from one address; beyond it logins are refused, but to accounts that have logged in from there',
  ),
  registrations: limit(30, 'per hour', 'registrations from one address; beyond it they are refused'),
  requestRate: limit(20, 'per second', 'requests of one user; beyond it and the burst, reading pauses'),
  requestBurst: limit(200, 'count', 'requests a user may send at once before the rate holds'),
  requestPause: limit(5000, 'ms', 'longest pause in reading for the rate; beyond it requests are refused'),
  requestsAtOnce: limit(
    4,
    'count',
    'requests of one user that run at once, messages and signals apart; beyond it the next ones wait',
  ),
  signalRate: limit(
    500,
    'per second',
    'acknowledgements and pings of one user; beyond it and the burst, reading pauses',
  ),
  signalBurst: limit(5000, 'count', 'acknowledgements and pings of a user at once before the rate holds'),
  requestsInFlight: limit(256, 'count', 'unanswered requests of a connection; beyond it reading pauses'),
  ping: limit(60_000, 'ms', 'silence after which the client is asked whether it lives'),
  dead: limit(150_000, 'ms', 'silence after which a connection is closed'),
  outboundSoft: limit(256 * 1024, 'bytes', 'unsent to one connection; beyond it pushes stay in the database'),
  outboundHard: limit(1024 * 1024, 'bytes', 'unsent to one connection; beyond it the connection is closed'),
  outboundStall: limit(15_000, 'ms', 'without the peer reading anything; beyond it the connection is closed'),
  unacknowledged: limit(100, 'count', 'pushes a session has not acknowledged; beyond it the next ones wait'),
  friends: limit(2000, 'count', 'friends of one user; beyond it a request or a yes is refused'),
  friendRequests: limit(
    500,
    'count',
    'friend requests of one user that wait for an answer, and as many to one user; beyond it another is refused',
  ),
  blocks: limit(2000, 'count', 'users that one user has blocked; beyond it another is refused'),
  groupMembers: limit(500, 'count', 'members of one group; beyond it joining is refused'),
  groupsPerUser: limit(200, 'count', 'groups of one user; beyond it joining is refused'),
  groupsMade: limit(200, 'per hour', 'groups that one user makes; beyond it making another is refused'),
  invitations: limit(
    500,
    'count',
    'invitations by one user that wait, and as many to one user; beyond it another is refused',
  ),
  invitationsToOne: limit(10, 'count', 'invitations that wait, by one user to the same one; beyond it refused'),
  presenceRate: limit(
    1000,
    'per second',
    'pushes that tell of one user coming and going; beyond it only the outcome is told, later',
  ),
  botHops: limit(10, 'count', 'answers of bots to bots in a row; beyond it the next one is refused; at most 255'),
  botTurns: limit(100, 'per minute', 'bots speaking after other bots in a group, without a person; beyond it refused'),
  consumerKeys: limit(10_000, 'count', 'keys of state of one consumer; beyond it a new one is refused'),
  consumerBytes: limit(16 * 1024 * 1024, 'bytes', 'state of one consumer; beyond it more is refused'),
  requestKeys: limit(
    604_800_000,
    'ms',
    'that a request with a key is remembered; beyond it the same key is a new request',
  ),
  requestKeysPerUser: limit(100_000, 'count', 'keys of one user; beyond it the oldest are forgotten'),
  requestReplies: limit(
    16_777_216,
    'bytes',
    'replies kept for the keys of one user; beyond it the oldest are forgotten',
  ),
  consumers: limit(20, 'count', 'durable consumers of one user; beyond it another is refused'),
  searchRows: limit(
    10_000,
    'count',
    'messages that one search looks at; beyond it the client asks again from there on',
  ),
  scheduled: limit(100, 'count', 'messages of one user that wait for their time; beyond it another is refused'),
  tapRate: limit(2000, 'per second', 'messages that one tap shows; beyond it they are counted and not shown'),
  historyPage: limit(50, 'count', 'messages in a page of history when the client names no number'),
  stall: limit(30_000, 'ms', 'without the server doing anything; beyond it the process ends itself; 0 is no bound'),
  drain: limit(10_000, 'ms', 'for requests under way when the server stops; beyond it they are cut'),
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof LIMITS
export type Limits = { readonly [K in LimitName]: number }

const DEFAULTS = Object.fromEntries(Object.entries(LIMITS).map(([name, { value }]) => [name, value])) as Limits

/** Rates per address and per user, lifted by `--limits off` for tests, benchmarks and bulk imports on loopback. */
export const RATES_OFF: Partial<Limits> = {
  unauthenticated: Number.MAX_SAFE_INTEGER,
  unauthenticatedPerAddress: Number.MAX_SAFE_INTEGER,
  connectRate: Number.MAX_SAFE_INTEGER,
  connectBurst: Number.MAX_SAFE_INTEGER,
  logins: Number.MAX_SAFE_INTEGER,
  loginFailures: Number.MAX_SAFE_INTEGER,
  loginFailuresPerAddress: Number.MAX_SAFE_INTEGER,
  registrations: Number.MAX_SAFE_INTEGER,
  groupsMade: Number.MAX_SAFE_INTEGER,
  requestRate: Number.MAX_SAFE_INTEGER,
  requestBurst: Number.MAX_SAFE_INTEGER,
  signalRate: Number.MAX_SAFE_INTEGER,
  signalBurst: Number.MAX_SAFE_INTEGER,
}

export const withDefaults = (limits: Partial<Limits> = {}): Limits => ({ ...DEFAULTS, ...limits })
