import { type Clock, Refused, TokenBucket, tokenBuckets } from '../../core/index.ts'

/** Networks whose wrong secrets are counted. */
const NETWORKS = 50_000

/** Limits how often an address may offer a secret that does not exist. */
export class FailureRate {
  readonly #perMinute: number
  readonly #clock: Clock
  readonly #buckets

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute
    this.#clock = clock
    this.#buckets = tokenBuckets<string>(NETWORKS, { rate: perMinute / 60, burst: perMinute, clock })
  }

  /**
   * Runs a look-up, which fails by finding nothing. Each counts until it has succeeded, so the limit holds for
   * requests at the same time too.
   * @throws Refused `rate_limited`
   */
  async lookUp<T>(network: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(network) ?? new TokenBucket(this.#perMinute / 60, this.#perMinute, now)
    this.#buckets.set(network, bucket)
    const retryAfter = bucket.take(now)
    if (retryAfter > 0) {
      bucket.giveBack()
      throw new Refused('rate_limited', 'too many wrong tokens from this address; retry later', { retryAfter })
    }
    const found = await find()
    if (found !== undefined) bucket.giveBack()
    return found
  }
}
