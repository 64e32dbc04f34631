import { type Clock, lruCache, TokenBucket, tokenBuckets } from '../../core/index.ts'
import type { TypingLimits } from './limits.ts'

/** Conversations and users kept in memory, the last ones used. */
const [MAX_CONVERSATIONS, MAX_USERS] = [50_000, 20_000]

/** Limits the typing notices of a user: in one conversation, and in all, since one notice may go to a large group. */
export class TypingRate {
  readonly #limits: TypingLimits
  readonly #clock: Clock
  /** Time of the last notice, by user and conversation. */
  readonly #last = lruCache<string, number>(MAX_CONVERSATIONS)
  readonly #perUser: ReturnType<typeof tokenBuckets<number>>

  constructor(limits: TypingLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#perUser = tokenBuckets<number>(MAX_USERS, { rate: limits.typing / 60, burst: limits.typing, clock })
  }

  /** Counts a notice. False if it is to be dropped. */
  take(userId: number, conversation: string): boolean {
    const now = this.#clock.now()
    const key = `${userId} ${conversation}`
    const last = this.#last.get(key)
    if (last !== undefined && now - last < this.#limits.typingPause) return false
    const { typing } = this.#limits
    const bucket = this.#perUser.get(userId) ?? new TokenBucket(typing / 60, typing, now)
    this.#perUser.set(userId, bucket)
    if (bucket.take(now) > 0) {
      bucket.giveBack()
      return false
    }
    this.#last.set(key, now)
    return true
  }
}
