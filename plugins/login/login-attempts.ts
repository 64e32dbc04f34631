import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Cluster, KeyedQueue, lruCache, Refused } from '../../core/index.ts'
import { FAILURES } from './failures.ts'
import type { LoginLimits } from './limits.ts'

/** Pairs of account and address remembered as familiar, the last ones used. */
const MAX_FAMILIAR = 50_000

/** What a node tells the others of an attempt. */
interface Attempt {
  readonly pair: string
  readonly address: string
  /** Familiar: it succeeded for the first time; overLimit: it failed while its address was over the limit. */
  readonly result: 'failed' | 'overLimit' | 'familiar'
}

/**
 * Counts failed logins per pair of account and address and per address, never per account alone, or anyone could lock out
 * anyone. An account that has logged in from an address is familiar there: failures of others at the same address (a
 * tunnel, a proxy, an office) do not lock it out. Goes by the system's time: the limiter has no other clock.
 *
 * No answer reveals whether a pair is familiar or whether the name exists: over an address's limit a familiar pair gets a
 * challenge like any other name, and a wrong proof gets the same refusal.
 *
 * In a cluster the attempts of all nodes count, as far as nodes hear each other: with N nodes that do not, the limits are N
 * times as high.
 */
export class LoginAttempts {
  readonly #perPair: RateLimiterMemory
  readonly #perAddress: RateLimiterMemory
  /** Limits of familiar pairs while their address is over its own limit: their passwords must not be guessed forever. */
  readonly #perFamiliarPair: readonly RateLimiterMemory[]
  readonly #familiar = lruCache<string, true>(MAX_FAMILIAR)
  readonly #queue = new KeyedQueue<string>()
  readonly #cluster: Cluster

  constructor({ loginFailures, loginFailuresPerAddress }: LoginLimits, cluster: Cluster) {
    this.#cluster = cluster
    const limiter = (points: number, duration: number) => new RateLimiterMemory({ points, duration })
    this.#perPair = limiter(loginFailures, 60)
    this.#perAddress = limiter(loginFailuresPerAddress, 3600)
    this.#perFamiliarPair = [limiter(loginFailures, 60), limiter(loginFailuresPerAddress, 3600)]
  }

  /** Counts the attempts on other nodes. Returns a function that ends it. */
  hear(): () => void {
    return this.#cluster.hear('login', (attempt) => void this.#count(attempt as Attempt))
  }

  /** Checks the limits at the beginning of a login. @throws Refused `too_many_attempts` */
  async check(account: string, address: string) {
    if ((await overBy(this.#perAddress, address)) !== undefined) return
    refuseIf(await overBy(this.#perPair, pairOf(account, address)))
  }

  /**
   * Like `check`, but final: for a login whose proof is computed by this server, see plugins/legacy. It reveals to peers
   * at an address over its limit which accounts are familiar there.
   * @throws Refused `too_many_attempts`
   */
  async checkBeforeWork(account: string, address: string) {
    const over = await overBy(this.#perAddress, address)
    if (over === undefined) return this.check(account, address)
    if (!(await this.#mayStillTry(pairOf(account, address)))) refuseIf(over)
  }

  /**
   * Runs one attempt and counts it if it fails, that is, returns undefined. Attempts of one address run one after the
   * other, so that concurrent attempts are counted as strictly as successive ones.
   * @throws Refused `too_many_attempts`
   */
  attempt<T>(account: string, address: string, run: () => T | undefined): Promise<T | undefined> {
    return this.#queue.run(address, () => this.#attempt(account, address, run))
  }

  async #attempt<T>(account: string, address: string, run: () => T | undefined): Promise<T | undefined> {
    const pair = pairOf(account, address)
    const over = await overBy(this.#perAddress, address)
    if (over === undefined) {
      refuseIf(await overBy(this.#perPair, pair))
      const result = run()
      if (result === undefined) await this.#tell({ pair, address, result: 'failed' })
      else if (!this.#familiar.has(pair)) await this.#tell({ pair, address, result: 'familiar' })
      return result
    }
    // Before the decision: the same work for every name.
    const result = run()
    const mayTry = await this.#mayStillTry(pair)
    if (mayTry && result !== undefined) return result
    if (mayTry) await this.#tell({ pair, address, result: 'overLimit' })
    return refuseIf(over)
  }

  /** Counts an attempt on this node and on the others. */
  #tell(attempt: Attempt): Promise<void> {
    this.#cluster.say('login', attempt)
    return this.#count(attempt)
  }

  async #count({ pair, address, result }: Attempt) {
    if (result === 'familiar') this.#familiar.set(pair, true)
    else if (result === 'failed') {
      await this.#perPair.penalty(pair)
      await this.#perAddress.penalty(address)
    } else for (const limiter of this.#perFamiliarPair) await limiter.penalty(pair)
  }

  /** Whether a familiar pair has attempts left while its address is over the limit. */
  async #mayStillTry(pair: string): Promise<boolean> {
    if (!this.#familiar.has(pair)) return false
    for (const limiter of this.#perFamiliarPair) if ((await overBy(limiter, pair)) !== undefined) return false
    return true
  }
}

const pairOf = (account: string, address: string) => `${account.toLowerCase()} ${address}`

/** Milliseconds until the limit is no longer reached; undefined if it is not reached. */
async function overBy(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  const found = await limiter.get(key)
  return found !== null && found.consumedPoints >= limiter.points ? found.msBeforeNext : undefined
}

function refuseIf(retryAfter: number | undefined): undefined {
  if (retryAfter !== undefined) throw new Refused(FAILURES.too_many_attempts, undefined, { retryAfter })
}
