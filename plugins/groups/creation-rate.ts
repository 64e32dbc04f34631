import { type Clock, Refused, TokenBucket, tokenBuckets } from '../../core/index.ts'
import type { GroupLimits } from './limits.ts'

/** Rates kept in memory, of the users who created groups last. */
const MAX_RATES = 10_000

/** Limits how many groups a user creates per hour. */
export class CreationRate {
  readonly #clock: Clock
  readonly #burst: number
  readonly #buckets: ReturnType<typeof tokenBuckets<number>>

  constructor({ groupsMade }: GroupLimits, clock: Clock) {
    this.#clock = clock
    this.#burst = groupsMade
    this.#buckets = tokenBuckets<number>(MAX_RATES, { rate: groupsMade / 3600, burst: groupsMade, clock })
  }

  /** Runs `create` and counts it, unless it fails. @throws Refused `rate_limited` */
  async count<T>(userId: number, create: () => Promise<T>): Promise<T> {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(userId) ?? new TokenBucket(this.#burst / 3600, this.#burst, now)
    this.#buckets.set(userId, bucket)
    const retryAfter = bucket.take(now)
    try {
      if (retryAfter > 0)
        throw new Refused('rate_limited', 'you have created too many groups; retry later', { retryAfter })
      return await create()
    } catch (error) {
      bucket.giveBack()
      throw error
    }
  }
}
