import type { LRUCache } from 'lru-cache'
import type { Clock } from './clock.ts'
import { Refused } from './errors.ts'
import type { Limits } from './limits.ts'
import { lruCache } from './lru-cache.ts'
import type { UserSession } from './session.ts'
import { TokenBucket } from './token-bucket.ts'

/** Rates remembered at once; more users than that within seconds share nothing but the other limits. */
const BUCKETS = 50_000

/** Bots and operators may send this many times the rate of a person. */
const MACHINE_RATE = 10

/** Who is here: the sessions of each user, and the request rate they share. */
export class Sessions {
  readonly #byUser = new Map<number, Set<UserSession>>()
  /** Kept after the last session until they would be full again: logging in anew must not renew the burst. */
  readonly #requests: LRUCache<number, TokenBucket>
  readonly #limits: Limits
  readonly #clock: Clock

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    const { requestBurst, requestRate } = limits
    this.#requests = lruCache(BUCKETS, {
      ttl: Math.max(1000, (requestBurst / requestRate) * 1000),
      updateAgeOnGet: true,
      perf: clock,
      // Else it keeps the time for a while, by a timer of the system's.
      ttlResolution: 0,
    })
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
  add(session: UserSession): TokenBucket {
    const { sessionsPerUser, requestRate, requestBurst } = this.#limits
    const { id, role } = session.user
    const sessions = this.#byUser.get(id) ?? new Set()
    if (sessions.size >= sessionsPerUser) throw new Refused('too_many_sessions')
    this.#byUser.set(id, sessions.add(session))
    const factor = role === 'bot' ? MACHINE_RATE : 1
    // The operator's haste is not the user's: it has a rate of its own.
    const now = this.#clock.now()
    if (session.isOperator) return new TokenBucket(requestRate * MACHINE_RATE, requestBurst * MACHINE_RATE, now)
    const kept = this.#requests.get(id) ?? new TokenBucket(requestRate * factor, requestBurst * factor, now)
    this.#requests.set(id, kept)
    return kept
  }

  remove(session: UserSession) {
    const sessions = this.#byUser.get(session.user.id)
    sessions?.delete(session)
    if (sessions?.size === 0) this.#byUser.delete(session.user.id)
  }
}

const NONE: ReadonlySet<UserSession> = new Set()
