import type { LRUCache } from 'lru-cache'
import type { Clock } from './clock.ts'
import { Refused } from './errors.ts'
import type { Limits } from './limits.ts'
import type { UserSession } from './session.ts'
import { TokenBucket, tokenBuckets } from './token-bucket.ts'

/** Rates remembered at once; more users than that within seconds share nothing but the other limits. */
const BUCKETS = 50_000

/** Bots and operators may send this many times the rate of a person. */
const MACHINE_RATE = 10

/** Rates that all sessions of a user share. */
export class Rates {
  readonly requests: TokenBucket
  /** Of messages that do not count as requests: acknowledgements, pings. */
  readonly signals: TokenBucket

  constructor(requests: TokenBucket, signals: TokenBucket) {
    this.requests = requests
    this.signals = signals
  }

  /**
   * Counts a message; returns the milliseconds until it may be handled.
   * @throws Refused `rate_limited` for a request that would wait longer than `pause` ms; signals are never refused
   */
  take(isRequest: boolean, now: number, pause: number): number {
    // A signal that cost as much as a request has been charged as one, and the next signals wait for that.
    if (!isRequest) return Math.max(this.signals.take(now), this.requests.debt(now))
    const wait = this.requests.take(now)
    if (wait <= pause) return wait
    this.requests.giveBack()
    throw new Refused('rate_limited', undefined, { retryAfter: wait })
  }
}

/** Who is here: the sessions of each user, and the request rate they share. */
export class Sessions {
  readonly #byUser = new Map<number, Set<UserSession>>()
  /** Kept after the last session until they would be full again: logging in anew must not renew the burst. */
  readonly #requests: LRUCache<number, TokenBucket>
  /** The same of signals. */
  readonly #signals: LRUCache<number, TokenBucket>
  readonly #limits: Limits
  readonly #clock: Clock

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    const { requestBurst, requestRate, signalBurst, signalRate } = limits
    this.#requests = tokenBuckets(BUCKETS, { rate: requestRate, burst: requestBurst, clock })
    this.#signals = tokenBuckets(BUCKETS, { rate: signalRate, burst: signalBurst, clock })
  }

  /** The user's sessions, in the order of their logins. */
  of(userId: number): ReadonlySet<UserSession> {
    return this.#byUser.get(userId) ?? NONE
  }

  get users(): number {
    return this.#byUser.size
  }

  *[Symbol.iterator](): Generator<UserSession, void, void> {
    for (const sessions of this.#byUser.values()) yield* sessions
  }

  /** @throws Refused `too_many_sessions` */
  add(session: UserSession): Rates {
    const { sessionsPerUser } = this.#limits
    const { id, role } = session.user
    const sessions = this.#byUser.get(id) ?? new Set()
    if (sessions.size >= sessionsPerUser) throw new Refused('too_many_sessions')
    this.#byUser.set(id, sessions.add(session))
    // The operator's haste is not the user's: it has rates of its own.
    if (session.isOperator) return this.#ratesOf(MACHINE_RATE)
    const rates = this.#ratesOf(role === 'bot' ? MACHINE_RATE : 1)
    const requests = this.#requests.get(id) ?? rates.requests
    const signals = this.#signals.get(id) ?? rates.signals
    this.#requests.set(id, requests)
    this.#signals.set(id, signals)
    return new Rates(requests, signals)
  }

  #ratesOf(factor: number): Rates {
    const { requestRate, requestBurst, signalRate, signalBurst } = this.#limits
    const now = this.#clock.now()
    return new Rates(
      new TokenBucket(requestRate * factor, requestBurst * factor, now),
      new TokenBucket(signalRate * factor, signalBurst * factor, now),
    )
  }

  remove(session: UserSession) {
    const sessions = this.#byUser.get(session.user.id)
    sessions?.delete(session)
    if (sessions?.size === 0) this.#byUser.delete(session.user.id)
  }
}

const NONE: ReadonlySet<UserSession> = new Set()
