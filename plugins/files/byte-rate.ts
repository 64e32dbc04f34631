import { type Clock, TokenBucket, tokenBuckets } from '../../core/index.ts'
import type { FilesLimits } from './limits.ts'

/** Users kept in memory, the last ones used. */
const MAX_USERS = 20_000

/** Limits the bytes of files that a user sends and receives, apart from the rate of requests. */
export class ByteRate {
  readonly #limits: FilesLimits
  readonly #clock: Clock
  readonly #perUser: ReturnType<typeof tokenBuckets<number>>

  constructor(limits: FilesLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#perUser = tokenBuckets<number>(MAX_USERS, { rate: limits.fileBytes, burst: limits.fileBurst, clock })
  }

  /** Counts bytes, and resolves when they may pass. */
  async take(userId: number, bytes: number) {
    const { fileBytes, fileBurst } = this.#limits
    const now = this.#clock.now()
    const bucket = this.#perUser.get(userId) ?? new TokenBucket(fileBytes, fileBurst, now)
    this.#perUser.set(userId, bucket)
    const wait = bucket.take(now, bytes)
    // The wait may be long, and does not keep a stopping server alive.
    if (wait > 0) await new Promise<void>((resolve) => this.#clock.after(wait, resolve).unref())
  }
}
