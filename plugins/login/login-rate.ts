import { type Clock, lruCache, Refused, TokenBucket, type User } from '../../core/index.ts'
import type { LoginLimits } from './limits.ts'

/** Rates remembered at once, of the users who logged in last. */
const USERS_KEPT = 50_000
/** Bots log in so many times as often as a person. */
const MACHINE_RATE = 10

/** How often a user may log in, right password or not: each login and logout is told to everyone who knows the user. */
export class LoginRate {
  readonly #perMinute: number
  readonly #clock: Clock
  readonly #buckets = lruCache<number, TokenBucket>(USERS_KEPT)

  constructor({ logins }: LoginLimits, clock: Clock) {
    this.#perMinute = logins
    this.#clock = clock
  }

  /** Counts one login. @throws Refused `rate_limited` */
  take({ id, role }: User) {
    const perMinute = this.#perMinute * (role === 'bot' ? MACHINE_RATE : 1)
    const now = this.#clock.now()
    const bucket = this.#buckets.get(id) ?? new TokenBucket(perMinute / 60, perMinute, now)
    this.#buckets.set(id, bucket)
    const retryAfter = bucket.take(now)
    if (retryAfter === 0) return
    bucket.giveBack()
    throw new Refused('rate_limited', 'too many logins of this user', { retryAfter })
  }
}
