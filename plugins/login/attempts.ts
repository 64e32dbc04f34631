import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Limits, Refused } from '../../core/index.ts'

/**
 * Counts failed logins, by account and address together and by address alone: never by account alone, or anyone could
 * lock out anyone.
 */
export class Attempts {
  readonly #ofAccount: RateLimiterMemory
  readonly #ofAddress: RateLimiterMemory

  constructor({ loginFailures, loginFailuresPerAddress }: Limits) {
    this.#ofAccount = new RateLimiterMemory({ points: loginFailures, duration: 60, keyPrefix: 'account' })
    this.#ofAddress = new RateLimiterMemory({ points: loginFailuresPerAddress, duration: 3600, keyPrefix: 'address' })
  }

  /** @throws Refused `too_many_attempts` */
  async check(account: string, address: string) {
    for (const [limiter, key] of this.#keys(account, address)) {
      const found = await limiter.get(key)
      if (found !== null && found.consumedPoints >= limiter.points)
        throw new Refused('too_many_attempts', undefined, { retryAfter: found.msBeforeNext })
    }
  }

  async failed(account: string, address: string) {
    for (const [limiter, key] of this.#keys(account, address)) await limiter.penalty(key)
  }

  #keys(account: string, address: string): [RateLimiterMemory, string][] {
    return [
      [this.#ofAccount, `${account.toLowerCase()} ${address}`],
      [this.#ofAddress, address],
    ]
  }
}
