import type { IncomingHttpHeaders } from 'node:http'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, type Clock, lruCache, Refused, Retries } from '../../core/index.ts'
import { type Follower, findToken, isUnavailable, type LogEntry, useToken } from '../../db/index.ts'
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
export class Tokens implements Follower {
  /** Wrong tokens by address, those of hooks included. */
  readonly failures: FailureRate
  readonly #parts: TokensParts
  readonly #clock: Clock
  readonly #retries: Retries
  readonly #known = lruCache<string, Grant>(CACHED_TOKENS, {
    dispose: (grant, hash) => {
      grant.end()
      const ofUser = this.#byUser.get(grant.userId)
      ofUser?.delete(hash)
      if (ofUser?.size === 0) this.#byUser.delete(grant.userId)
    },
  })
  /** Hashes in `#known`. */
  readonly #byUser = new Map<number, Set<string>>()
  /** For each read in progress the users that have changed since it began. */
  readonly #reads = new Set<Set<number>>()
  #nextExpiry = Number.POSITIVE_INFINITY

  constructor(parts: TokensParts) {
    this.#parts = parts
    this.#clock = parts.app.clock
    this.failures = new FailureRate(parts.limits.tokenFailures, this.#clock)
    const onError = (error: unknown) => parts.log.warn({ err: error }, 'cannot check the tokens of a changed account')
    this.#retries = new Retries(parts.app, isUnavailable, onError)
  }

  /**
   * The user and the rights of a token.
   * @param network of the peer, whose wrong tokens are counted
   * @throws Refused `bad_token`, also if the account is disabled; `rate_limited`
   */
  async authenticate(token: string | undefined, network: string): Promise<Access> {
    const hash = token !== undefined && isToken(token) ? hashOf(token) : undefined
    const known = hash === undefined ? undefined : this.#known.get(hash)
    const grant = known?.isStale === false ? known : await this.#lookUp(hash, network)
    const now = this.#clock.time()
    if (grant.expiresAt <= now) throw new Refused(FAILURES.bad_token)
    const account = (await this.#parts.accounts.byIds([grant.userId])).get(grant.userId)
    if (!account?.active) throw new Refused(FAILURES.bad_token)
    this.#used(grant, now)
    const { id, name, nickname, role } = account
    return { user: { id, name, nickname, role }, token: grant }
  }

  /** An account has changed, or a token or device of it was revoked. */
  changed({ subject: userId }: LogEntry) {
    for (const changed of this.#reads) changed.add(userId)
    const hashes = this.#byUser.get(userId)
    if (hashes === undefined) return
    for (const hash of hashes) this.#stale(hash)
    void this.#retries.until(() => this.#check(userId))
  }

  /** The entries are told later. */
  missed() {}

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

  #stale(hash: string) {
    const grant = this.#known.get(hash)
    if (grant !== undefined) grant.isStale = true
  }

  /** Ends what was opened with tokens that are not valid any more. */
  async #check(userId: number) {
    const account = (await this.#parts.accounts.byIds([userId])).get(userId)
    for (const hash of [...(this.#byUser.get(userId) ?? [])])
      if (account?.active) await this.#load(hash)
      else this.#known.delete(hash)
  }

  /** Reads a token; one that does not exist any more ends. */
  async #load(hash: string): Promise<Grant | undefined> {
    for (;;) {
      const changed = new Set<number>()
      this.#reads.add(changed)
      const row = await findToken(this.#parts.db, hash).finally(() => this.#reads.delete(changed))
      // A request at the same time may have loaded it: both have the same signal.
      const known = this.#known.get(hash)
      if (known?.isStale === false) return known
      if (row === undefined) this.#known.delete(hash)
      else if (changed.has(row.user_id)) continue
      return row && this.#keep(hash, known ?? new Grant(row))
    }
  }

  #keep(hash: string, grant: Grant): Grant {
    grant.isStale = false
    this.#known.set(hash, grant)
    this.#byUser.set(grant.userId, (this.#byUser.get(grant.userId) ?? new Set()).add(hash))
    this.#nextExpiry = Math.min(this.#nextExpiry, grant.expiresAt)
    return grant
  }

  #used(grant: Grant, now: number) {
    if (now - grant.usedAt < USED_MS) return
    grant.usedAt = now
    const { db, log } = this.#parts
    useToken(db, grant.id, now).catch((error: unknown) => log.warn({ err: error }, 'cannot store the use of a token'))
  }
}
