import { RateLimiterMemory } from 'rate-limiter-flexible'
import { lruCache, Refused } from '../../core/index.ts'
import { FAILURES } from './failures.ts'
import type { LoginLimits } from './limits.ts'

/** Pairs of account and address remembered as familiar, the last ones used. */
const FAMILIAR = 50_000

/**
 * Counts failed logins, by account and address together and by address alone: never by account alone, or anyone could
 * lock out anyone. An account that has logged in from an address is familiar there: failures of others from the same
 * address (a tunnel, a proxy, an office) do not shut it out. By the system's time: the limiter has no other clock.
 *
 * No answer tells whether a pair is familiar, or whether the name exists: over an address's limit a familiar pair gets a
 * challenge like any other name, and with a wrong proof it hears the same as they do.
 */
export class Attempts {
  readonly #ofPair: RateLimiterMemory
  readonly #ofAddress: RateLimiterMemory
  /** Of familiar pairs while their address is over its limit, so that they are not guessed at without end. */
  readonly #ofFamiliar: readonly RateLimiterMemory[]
  readonly #familiar = lruCache<string, true>(FAMILIAR)
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor({ loginFailures, loginFailuresPerAddress }: LoginLimits) {
    const limiter = (points: number, duration: number) => new RateLimiterMemory({ points, duration })
    this.#ofPair = limiter(loginFailures, 60)
    this.#ofAddress = limiter(loginFailuresPerAddress, 3600)
    this.#ofFamiliar = [limiter(loginFailures, 60), limiter(loginFailuresPerAddress, 3600)]
  }

  /** For the beginning of a login. @throws Refused `too_many_attempts` */
  async check(account: string, address: string) {
    if ((await overBy(this.#ofAddress, address)) !== undefined) return
    refuseIf(await overBy(this.#ofPair, pairOf(account, address)))
  }

  /**
   * Like `check`, but final, for a login whose proof costs this server work: see plugins/legacy. Peers behind an address
   * over its limit can tell by it which accounts are familiar there.
   * @throws Refused `too_many_attempts`
   */
  async checkBeforeWork(account: string, address: string) {
    const over = await overBy(this.#ofAddress, address)
    if (over === undefined) return this.check(account, address)
    if (!(await this.#mayStillTry(pairOf(account, address)))) refuseIf(over)
  }

  /**
   * Runs one attempt and counts it if it fails, that is, returns undefined. Attempts of one address take turns, so that
   * many at once are no more than many in a row, and right ones are never counted.
   * @throws Refused `too_many_attempts`
   */
  attempt<T>(account: string, address: string, run: () => T | undefined): Promise<T | undefined> {
    const turn = (this.#turns.get(address) ?? Promise.resolve()).then(() => this.#attempt(account, address, run))
    const settled = turn
      .catch(() => {})
      .finally(() => {
        if (this.#turns.get(address) === settled) this.#turns.delete(address)
      })
    this.#turns.set(address, settled)
    return turn
  }

  async #attempt<T>(account: string, address: string, run: () => T | undefined): Promise<T | undefined> {
    const pair = pairOf(account, address)
    const over = await overBy(this.#ofAddress, address)
    if (over === undefined) {
      refuseIf(await overBy(this.#ofPair, pair))
      const result = run()
      if (result === undefined) {
        await this.#ofPair.penalty(pair)
        await this.#ofAddress.penalty(address)
      } else this.#familiar.set(pair, true)
      return result
    }
    // The same work for every name.
    const result = run()
    const mayTry = await this.#mayStillTry(pair)
    if (mayTry && result !== undefined) return result
    if (mayTry) for (const limiter of this.#ofFamiliar) await limiter.penalty(pair)
    return refuseIf(over)
  }

  /** Whether a pair has a try of its own left while its address is over the limit. */
  async #mayStillTry(pair: string): Promise<boolean> {
    if (!this.#familiar.has(pair)) return false
    for (const limiter of this.#ofFamiliar) if ((await overBy(limiter, pair)) !== undefined) return false
    return true
  }
}

const pairOf = (account: string, address: string) => `${account.toLowerCase()} ${address}`

/** For how many milliseconds the limit is still reached; undefined if it is not. */
async function overBy(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  const found = await limiter.get(key)
  return found !== null && found.consumedPoints >= limiter.points ? found.msBeforeNext : undefined
}

function refuseIf(retryAfter: number | undefined): undefined {
  if (retryAfter !== undefined) throw new Refused(FAILURES.too_many_attempts, undefined, { retryAfter })
}
