import type { IncomingHttpHeaders } from 'node:http'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, type Clock, lruCache, Refused } from '../../core/index.ts'
import { findToken, useToken } from '../../db/index.ts'
import type { Accounts } from '../accounts/index.ts'
import { type Access, Grant } from './access.ts'
import { FailureRate } from './failure-rate.ts'
import { FAILURES } from './failures.ts'
import type { TokenLimits } from './limits.ts'
import { hashOf, isToken } from './secret.ts'

/** Tokens in memory; what was opened with an evicted one ends, and its client comes again. */
const CACHED_TOKENS = 50_000
/** How exactly the time of the last use is stored. */
const USED_MS = 60_000

export interface TokensParts {
  readonly app: App
  readonly db: Knex
  readonly accounts: Accounts
  readonly limits: TokenLimits
  readonly log: Logger
}

/** The token of a request (RFC 6750); undefined without one. */
export const bearerOf = ({ authorization = '' }: IncomingHttpHeaders): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(authorization)?.[1]

/** The way from a token to its user, for all plugins that take requests over HTTP. */
export class Tokens {
  /** Wrong tokens by address, those of hooks included. */
  readonly failures: FailureRate
  readonly #parts: TokensParts
  readonly #clock: Clock
  readonly #known = lruCache<string, Grant>(CACHED_TOKENS, { dispose: (grant) => grant.end() })
  /** Changes with each revocation: a look-up that began before is stale. */
  #revocations = 0
  #nextExpiry = Number.POSITIVE_INFINITY

  constructor(parts: TokensParts) {
    this.#parts = parts
    this.#clock = parts.app.clock
    this.failures = new FailureRate(parts.limits.tokenFailures, this.#clock)
  }

  /**
   * The user and the rights of a token.
   * @param network of the peer, whose wrong tokens are counted
   * @throws Refused `bad_token`, also if the account is disabled; `rate_limited`
   */
  async authenticate(token: string | undefined, network: string): Promise<Access> {
    const hash = token !== undefined && isToken(token) ? hashOf(token) : undefined
    const grant = (hash === undefined ? undefined : this.#known.get(hash)) ?? (await this.#lookUp(hash, network))
    const now = this.#clock.time()
    if (grant.expiresAt <= now) throw new Refused(FAILURES.bad_token)
    const account = (await this.#parts.accounts.byIds([grant.userId])).get(grant.userId)
    if (!account?.active) throw new Refused(FAILURES.bad_token)
    this.#used(grant, now)
    const { id, name, nickname, role } = account
    return { user: { id, name, nickname, role }, token: grant }
  }

  /** Tokens were revoked: ends what was opened with them. */
  revoked(isRevoked: (grant: Grant) => boolean) {
    this.#revocations++
    this.#end(isRevoked)
  }

  endExpired() {
    const now = this.#clock.time()
    if (now < this.#nextExpiry) return
    this.#end(({ expiresAt }) => expiresAt <= now)
    this.#nextExpiry = [...this.#known.values()].reduce(
      (first, { expiresAt }) => Math.min(first, expiresAt),
      Number.POSITIVE_INFINITY,
    )
  }

  /** Drops tokens from memory, which ends them. */
  #end(ends: (grant: Grant) => boolean) {
    for (const [hash, grant] of [...this.#known.entries()]) if (ends(grant)) this.#known.delete(hash)
  }

  async #lookUp(hash: string | undefined, network: string): Promise<Grant> {
    const load = async () => (hash === undefined ? undefined : this.#load(hash))
    const grant = await this.failures.lookUp(network, load)
    if (grant === undefined) throw new Refused(FAILURES.bad_token)
    return grant
  }

  async #load(hash: string): Promise<Grant | undefined> {
    for (;;) {
      const before = this.#revocations
      const row = await findToken(this.#parts.db, hash)
      // A request at the same time may have loaded it: both have the same signal.
      const known = this.#known.get(hash)
      if (known !== undefined || row === undefined) return known
      if (before !== this.#revocations) continue
      const grant = new Grant(row)
      this.#known.set(hash, grant)
      this.#nextExpiry = Math.min(this.#nextExpiry, grant.expiresAt)
      return grant
    }
  }

  #used(grant: Grant, now: number) {
    if (now - grant.usedAt < USED_MS) return
    grant.usedAt = now
    const { db, log } = this.#parts
    useToken(db, grant.id, now).catch((error: unknown) => log.warn({ err: error }, 'cannot store the use of a token'))
  }
}
