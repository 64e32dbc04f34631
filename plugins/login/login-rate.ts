import { type Clock, lruCache, Refused, TokenBucket, type User } from '../../core/index.ts'
import type { LoginLimits } from './limits.ts'

/** Rates kept in memory, of the users who logged in last. */
const MAX_RATES = 50_000
/** Bots may log in this many times as often as people. */
const BOT_FACTOR = 10

/** Limits the successful logins of a user: each login and logout is announced to friends and groups. */
export class LoginRate {
  readonly #perMinute: number
  readonly #clock: Clock
  readonly #buckets = lruCache<number, TokenBucket>(MAX_RATES)

  constructor({ logins }: LoginLimits, clock: Clock) {
    this.#perMinute = logins
    this.#clock = clock
  }

  /** Counts one login. @throws Refused `rate_limited` */
  take({ id, role }: User) {
    const perMinute = this.#perMinute * (role === 'bot' ? BOT_FACTOR : 1)
    const now = this.#clock.now()
    const bucket = this.#buckets.get(id) ?? new TokenBucket(perMinute / 60, perMinute, now)
    this.#buckets.set(id, bucket)
    const retryAfter = bucket.take(now)
    if (retryAfter === 0) return
    bucket.giveBack()
    throw new Refused('rate_limited', 'too many logins of this user; retry later', { retryAfter })
  }
}
