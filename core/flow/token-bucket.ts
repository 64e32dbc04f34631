import type { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { lruCache } from './lru-cache.ts'

/** Token bucket: allows `burst` at once, then `perSecond`. Time in milliseconds, passed by the caller. */
export class TokenBucket {
  readonly burst: number
  readonly #perSecond: number
  #tokens: number
  #last: number

  constructor(perSecond: number, burst: number, now: number) {
    this.burst = burst
    this.#perSecond = perSecond
    this.#tokens = burst
    this.#last = now
  }

  /** Takes tokens, on credit if there are too few; returns the milliseconds until the debt is paid. */
  take(now: number, tokens = 1): number {
    this.#refill(now)
    this.#tokens -= tokens
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000
  }

  /** Milliseconds until the debt is paid. */
  debt(now: number): number {
    return this.take(now, 0)
  }

  /** Milliseconds until the bucket is full again if nothing is taken. */
  untilFull(now: number): number {
    this.#refill(now)
    return ((this.burst - this.#tokens) / this.#perSecond) * 1000
  }

  /** Returns tokens: the action they were taken for did not happen. */
  giveBack(tokens = 1) {
    this.#tokens += tokens
  }

  #refill(now: number) {
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#last) / 1000) * this.#perSecond)
    this.#last = now
  }
}

/** Cache of buckets by key. An unused bucket expires when it would be full: a reconnect must not renew the burst. */
export const tokenBuckets = <K extends string | number>(
  maxEntries: number,
  { rate, burst, clock }: { readonly rate: number; readonly burst: number; readonly clock: Clock },
): LRUCache<K, TokenBucket> =>
  lruCache(maxEntries, {
    ttl: Math.max(1000, Math.ceil((burst / rate) * 1000)),
    updateAgeOnGet: true,
    perf: clock,
    // Otherwise lru-cache caches the time, and resets it by a system timer instead of this clock.
    ttlResolution: 0,
  })
