import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Limits, Refused } from '../../core/index.ts'

/**
 * Counts failed logins, by account and address together and by address alone: never by account alone, or anyone could
 * lock out anyone. By the system's time: the limiter has no other clock.
 */
export class Attempts {
  readonly #ofAccount: RateLimiterMemory
  readonly #ofAddress: RateLimiterMemory
  readonly #turns = new Map<string, Promise<unknown>>()

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

  /**
   * Runs one attempt and counts it if it fails, that is, returns undefined. Attempts of one address take turns, so that
   * many at once are no more than many in a row, and right ones are never counted.
   * @throws Refused `too_many_attempts`
   */
  attempt<T>(account: string, address: string, run: () => T | undefined): Promise<T | undefined> {
    const turn = (this.#turns.get(address) ?? Promise.resolve()).then(async () => {
      await this.check(account, address)
      const result = run()
      if (result === undefined) for (const [limiter, key] of this.#keys(account, address)) await limiter.penalty(key)
      return result
    })
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (this.#turns.get(address) === settled) this.#turns.delete(address)
      })
    this.#turns.set(address, settled)
    return turn
  }

  #keys(account: string, address: string): [RateLimiterMemory, string][] {
    return [
      [this.#ofAccount, `${account.toLowerCase()} ${address}`],
      [this.#ofAddress, address],
    ]
  }
}
