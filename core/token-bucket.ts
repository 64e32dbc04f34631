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

  /** Takes one token, on credit if need be; returns the milliseconds until it is really there. */
  take(now: number): number {
    this.#refill(now)
    this.#tokens -= 1
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000
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
