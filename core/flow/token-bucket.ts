import type { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { lruCache } from './lru-cache.ts'

/** A token bucket: `burst` at once, then `perSecond`. Time in milliseconds, given by the caller. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #last: number

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#last = now
  }

  /** Takes tokens, on credit if need be; returns the milliseconds until they are really there. */
  take(now: number, tokens = 1): number {
    this.#refill(now)
    this.#tokens -= tokens
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000
  }

  /** Milliseconds until no token is owed any more. */
  debt(now: number): number {
    return this.take(now, 0)
  }

  /** Milliseconds until the bucket is full again if nothing is taken. */
  untilFull(now: number): number {
    this.#refill(now)
    return ((this.#burst - this.#tokens) / this.#perSecond) * 1000
  }

  /** Gives a taken token back: what it was taken for did not happen. */
  giveBack() {
    this.#tokens += 1
  }

  #refill(now: number) {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#last) / 1000) * this.#perSecond)
    this.#last = now
  }
}

/** Buckets by key, each forgotten once it would be full again: coming back must not renew the burst. */
export const tokenBuckets = <K extends string | number>(
  most: number,
  { rate, burst, clock }: { readonly rate: number; readonly burst: number; readonly clock: Clock },
): LRUCache<K, TokenBucket> =>
  lruCache(most, {
    ttl: Math.max(1000, Math.ceil((burst / rate) * 1000)),
    updateAgeOnGet: true,
    perf: clock,
    // Else it keeps the time for a while, by a timer of the system's.
    ttlResolution: 0,
  })
