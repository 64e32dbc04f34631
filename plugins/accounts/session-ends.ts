import { type App, Retries, type UserSession } from '../../core/index.ts'
import type { Verifier } from '../../core/scram/index.ts'
import { type Follower, isUnavailable, type LogEntry } from '../../db/index.ts'
import type { Account } from './account.ts'
import { isSameVerifier } from './verifier.ts'

export interface SessionEndsParts {
  readonly app: App
  /** Reads an account as the log has it. */
  readonly find: (userId: number) => Promise<Account | undefined>
  readonly onError: (error: unknown) => void
}

/**
 * Ends sessions that the state of their account does not allow: of a disabled one, and those that began with another
 * password. Follows the log, so that it also ends them for a change that was made on another node.
 */
export class SessionEnds implements Follower {
  readonly #parts: SessionEndsParts
  readonly #retries: Retries
  /** The verifier with which a session began. */
  readonly #verifiers = new WeakMap<object, Verifier | undefined>()

  constructor(parts: SessionEndsParts) {
    this.#parts = parts
    this.#retries = new Retries(parts.app, isUnavailable, parts.onError)
  }

  /** The session began with that verifier of its account, or its user has set it on this session. */
  hasProven(session: object, verifier: Verifier | undefined) {
    this.#verifiers.set(session, verifier)
  }

  verifierOf(session: object): Verifier | undefined {
    return this.#verifiers.get(session)
  }

  changed({ subject }: LogEntry) {
    if (this.#parts.app.presence.isHere(subject)) this.check(subject)
  }

  check(userId: number) {
    void this.#retries.until(() => this.#check(userId))
  }

  /** The entries are told later. */
  missed() {}

  async #check(userId: number) {
    const { app, find } = this.#parts
    const account = await find(userId)
    if (!account?.active) return void app.users.closeHere(userId, 'account_disabled', () => true)
    app.users.closeHere(userId, 'logged_out', (session) => this.#isOfAnother(session, account.verifier))
  }

  #isOfAnother(session: UserSession, verifier: Verifier | undefined): boolean {
    if (!this.#verifiers.has(session)) return false
    const proven = this.#verifiers.get(session)
    return (proven ?? verifier) !== undefined && !isSameVerifier(proven, verifier)
  }
}
