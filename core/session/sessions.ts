import type { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { Refused } from '../errors.ts'
import { lruCache } from '../flow/lru-cache.ts'
import { TokenBucket } from '../flow/token-bucket.ts'
import type { Limits } from '../limits.ts'
import type { Rating } from './requests.ts'
import type { UserSession } from './session.ts'
import type { Role, User } from './user.ts'

/** Rates of offline users that are kept; an evicted user returns with a full burst. */
const BUCKETS = 50_000

/** Bots and operators may send this many times the rate of a person. */
const MACHINE_RATE = 10

/** A request takes one more token for each of these bytes, 4 KiB: the rate limits bytes as well. */
const TOKEN_BYTES_LOG2 = 12

/** Rates that all sessions of a user share. */
export class Rates {
  readonly requests: TokenBucket
  /** Of messages that do not count as requests: acknowledgements, pings. */
  readonly signals: TokenBucket

  constructor(requests: TokenBucket, signals: TokenBucket) {
    this.requests = requests
    this.signals = signals
  }

  /** Milliseconds until both are full again if nothing is counted. */
  untilFull(now: number): number {
    return Math.max(this.requests.untilFull(now), this.signals.untilFull(now))
  }

  /**
   * Counts a message; returns the milliseconds until it may be handled. A signal of 4 KiB or more counts as a request.
   * @param bytes length of format and data
   * @throws Refused `rate_limited` for a request that would wait longer than `pause` ms; signals are never refused
   */
  take(rating: Rating, bytes: number, now: number, pause: number): number {
    const more = bytes >> TOKEN_BYTES_LOG2
    // A signal that cost as much as a request has been charged as one, and the next signals wait for that.
    if (rating === 'bulk' || (!rating && more === 0)) return Math.max(this.signals.take(now), this.requests.debt(now))
    // A message that costs more than the burst takes all of it, or it could never be sent.
    const tokens = Math.min(1 + more, this.requests.burst)
    const wait = this.requests.take(now, tokens)
    if (wait <= pause) return wait
    this.requests.giveBack(tokens)
    throw new Refused('rate_limited', undefined, { retryAfter: wait })
  }
}

interface Present {
  readonly sessions: Set<UserSession>
  /** Rates that the user's sessions share; the operator's sessions have their own. */
  readonly rates: Rates
}

/** The other nodes of a cluster. */
export interface Elsewhere {
  /** How many sessions the user has on nodes that certainly live. */
  certainSessionsOf(userId: number): number
  /** A session of this node has begun or ended. */
  changed(user: User): void
}

/** The sessions of each online user, and the request rate they share. */
export class Sessions {
  readonly #byUser = new Map<number, Present>()
  /** Number of sessions by network, those of the operator left out. */
  readonly #byNetwork = new Map<string, number>()
  /** Rates of users without a session, kept until they are full again: a new login must not renew the burst. */
  readonly #left: LRUCache<number, Rates>
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #elsewhere: Elsewhere | undefined

  /** @param elsewhere the other nodes of a cluster */
  constructor(limits: Limits, clock: Clock, elsewhere?: Elsewhere) {
    this.#limits = limits
    this.#clock = clock
    this.#elsewhere = elsewhere
    // Each entry has its own TTL. With a resolution of 0 the cache reads the clock at each access.
    this.#left = lruCache(BUCKETS, { ttl: 1, ttlResolution: 0, perf: clock })
  }

  /** The user's sessions, in the order of their logins. */
  of(userId: number): ReadonlySet<UserSession> {
    return this.#byUser.get(userId)?.sessions ?? NONE
  }

  get users(): number {
    return this.#byUser.size
  }

  userIds(): Iterable<number> {
    return this.#byUser.keys()
  }

  *[Symbol.iterator](): Generator<UserSession, void, void> {
    for (const { sessions } of this.#byUser.values()) yield* sessions
  }

  /** @throws Refused `too_many_sessions` */
  add(session: UserSession): Rates {
    const { id, role } = session.user
    const onNetwork = session.isOperator ? 0 : (this.#byNetwork.get(session.network) ?? 0)
    if (onNetwork >= this.#limits.sessionsPerAddress)
      throw new Refused('too_many_sessions', 'there are too many open sessions from this address')
    const present = this.#byUser.get(id) ?? { sessions: new Set(), rates: this.#takeRates(id, role) }
    const elsewhere = this.#elsewhere?.certainSessionsOf(id) ?? 0
    if (present.sessions.size + elsewhere >= this.#limits.sessionsPerUser) throw new Refused('too_many_sessions')
    if (!session.isOperator) this.#byNetwork.set(session.network, onNetwork + 1)
    present.sessions.add(session)
    this.#byUser.set(id, present)
    this.#elsewhere?.changed(session.user)
    // The operator's haste is not the user's.
    return session.isOperator ? this.#newRates(MACHINE_RATE) : present.rates
  }

  /** The rates of a user for a request without a session: those of the user's sessions. */
  ratesOf({ id, role }: User): Rates {
    const present = this.#byUser.get(id)
    if (present !== undefined) return present.rates
    const rates = this.#left.get(id) ?? this.#newRates(role === 'bot' ? MACHINE_RATE : 1)
    // Kept until an empty bucket would be full again.
    const { requestRate, requestBurst, requestPause } = this.#limits
    this.#left.set(id, rates, { ttl: Math.ceil((requestBurst / requestRate) * 1000) + requestPause })
    return rates
  }

  remove(session: UserSession) {
    const { id } = session.user
    const present = this.#byUser.get(id)
    if (present?.sessions.delete(session) !== true) return
    this.#elsewhere?.changed(session.user)
    if (!session.isOperator) this.#removeFromNetwork(session.network)
    if (present.sessions.size > 0) return
    this.#byUser.delete(id)
    const ttl = Math.ceil(present.rates.untilFull(this.#clock.now()))
    if (ttl > 0) this.#left.set(id, present.rates, { ttl })
  }

  #removeFromNetwork(network: string) {
    const count = (this.#byNetwork.get(network) ?? 0) - 1
    if (count > 0) this.#byNetwork.set(network, count)
    else this.#byNetwork.delete(network)
  }

  #takeRates(id: number, role: Role): Rates {
    const left = this.#left.get(id)
    this.#left.delete(id)
    return left ?? this.#newRates(role === 'bot' ? MACHINE_RATE : 1)
  }

  #newRates(factor: number): Rates {
    const { requestRate, requestBurst, signalRate, signalBurst } = this.#limits
    const now = this.#clock.now()
    return new Rates(
      new TokenBucket(requestRate * factor, requestBurst * factor, now),
      new TokenBucket(signalRate * factor, signalBurst * factor, now),
    )
  }
}

const NONE: ReadonlySet<UserSession> = new Set()
