import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'

const HOUR_MS = 3_600_000
/** Users whose runs are counted; an evicted one begins anew. */
const USERS = 10_000

/** Limits the runs of `message` for each user, so that nobody can spend what they cost. Counts are lost at a restart. */
export class CostGuard {
  readonly #clock: Clock
  readonly #perHour: number
  /** Times of the runs within the last hour, oldest first; the notice is due once for each time that the limit is reached. */
  readonly #runs = new LRUCache<string, { readonly times: number[]; isNotified: boolean }>({ max: USERS })

  constructor(clock: Clock, perHour: number) {
    this.#clock = clock
    this.#perHour = perHour
  }

  /** Counts a run. Undefined if it may start; else the minutes until the next one may, and whether the user has not heard of it. */
  take(user: string): { readonly minutes: number; readonly isNews: boolean } | undefined {
    const now = this.#clock.now()
    const runs = this.#runs.get(user) ?? { times: [], isNotified: false }
    this.#runs.set(user, runs)
    while (runs.times[0] !== undefined && runs.times[0] <= now - HOUR_MS) runs.times.shift()
    if (runs.times.length < this.#perHour) {
      runs.times.push(now)
      runs.isNotified = false
      return undefined
    }
    const isNews = !runs.isNotified
    runs.isNotified = true
    return { minutes: Math.ceil(((runs.times[0] ?? now) + HOUR_MS - now) / 60_000), isNews }
  }
}
