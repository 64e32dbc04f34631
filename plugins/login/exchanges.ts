import type { Logger } from 'pino'
import { type App, FairSemaphore, Refused, type Session } from '../../core/index.ts'
import {
  type Challenge,
  createChallenge,
  fakeVerifier,
  readClientFirst,
  ScramError,
  type VerifierShape,
  verifyClientFinal,
} from '../../core/scram/index.ts'
import type { Account, Accounts } from '../accounts/index.ts'
import { isSameVerifier } from '../accounts/verifier.ts'
import { FAILURES } from './failures.ts'
import type { LoginAttempts } from './login-attempts.ts'

/** Look-ups before login at once, in all and per address: logged-in users need the database as well. */
const [MAX_LOOKUPS, MAX_LOOKUPS_PER_ADDRESS] = [4, 2]
/** Longest name of an account. */
const MAX_NAME_BYTES = 255

interface Exchange {
  readonly challenge: Challenge
  readonly name: string
  readonly account: Account | undefined
}

export interface ExchangesParts {
  readonly app: App
  readonly log: Logger
  readonly accounts: Accounts
  readonly attempts: LoginAttempts
  /** Shape of the next new account's verifier. */
  readonly shape: VerifierShape
}

/**
 * SCRAM exchanges: a challenge, and the proof that answers it. Neither answers nor timing reveal which names exist, and
 * the proof is bound to the Noise handshake, so a man in the middle cannot forward it.
 */
export class Exchanges {
  readonly #parts: ExchangesParts
  readonly #pending = new WeakMap<Session, Exchange>()
  readonly #lookups = new FairSemaphore(MAX_LOOKUPS, MAX_LOOKUPS_PER_ADDRESS)
  /** A name without an account gets the same salt each time, also after a restart, as one with an account does. */
  readonly #secret: Buffer

  constructor(parts: ExchangesParts) {
    this.#parts = parts
    this.#secret = parts.app.secret('salt of unknown names')
  }

  /** Runs a look-up of a peer that has not logged in, among a limited number at once. */
  lookUp<T>(session: Session, work: () => Promise<T>): Promise<T> {
    return this.#lookups.run(session.network, work)
  }

  /** Begins an exchange, in place of a pending one. @throws Refused `invalid_value`, `binding_required`, `too_many_attempts` */
  async begin(session: Session, clientFirst: string): Promise<Challenge> {
    const { accounts, attempts, shape } = this.#parts
    const first = parse(() => readClientFirst(clientFirst))
    if (Buffer.byteLength(first.user) > MAX_NAME_BYTES) throw new Refused('invalid_value', 'the name is too long')
    await attempts.check(first.user, session.network)
    // Also for names with an account, and each time: neither the work nor the answer may differ.
    const name = first.user.toLowerCase()
    const fake = fakeVerifier(this.#secret, name, accounts.shapes.of(name, this.#secret, shape))
    const account = await this.lookUp(session, () => accounts.read(first.user))
    const challenge = createChallenge(first, account?.verifier ?? fake)
    this.#pending.set(session, { challenge, name: first.user, account: account?.verifier && account })
    return challenge
  }

  /**
   * Ends the session's exchange with the account whose password was proven. A challenge is good for one proof.
   * @throws Refused `login_failed`, `account_disabled`, `too_many_attempts`
   */
  async prove(session: Session, clientFinal: string): Promise<{ account: Account; serverFinal: string }> {
    const exchange = this.#pending.get(session)
    this.#pending.delete(session)
    if (exchange === undefined) throw new Refused('login_failed', 'login_proof requires a login before it')
    const { account: challenged } = exchange
    const serverFinal = await this.#verify(session, exchange, clientFinal)
    if (serverFinal === undefined || challenged === undefined) {
      this.#parts.app.audit.info({ event: 'login_failed', user: exchange.name, address: session.address })
      throw new Refused('login_failed')
    }
    // The account may have changed since the challenge: its present state decides.
    const account = await this.#parts.accounts.find(challenged.name)
    if (!account?.active) throw new Refused('account_disabled')
    if (!isSameVerifier(account.verifier, challenged.verifier))
      throw new Refused('login_failed', 'the password was just changed')
    return { account, serverFinal }
  }

  /** The server's signature; undefined for a wrong proof. */
  async #verify(session: Session, { challenge, name }: Exchange, clientFinal: string): Promise<string | undefined> {
    const { attempts, log } = this.#parts
    let fault: ScramError | undefined
    const serverFinal = await attempts.attempt(name, session.network, () => {
      try {
        return verifyClientFinal(challenge, clientFinal, session.channelBinding)
      } catch (error) {
        if (!(error instanceof ScramError)) throw error
        fault = error
        return undefined
      }
    })
    // Only for attempts that were counted, which bounds the log. The peer learns no more than "wrong"; a binding that
    // does not match is a sign of a man in the middle.
    if (fault !== undefined) log.warn({ address: session.address, code: fault.code }, 'login refused')
    return serverFinal
  }
}

function parse<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    throw error.code === 'binding'
      ? new Refused(FAILURES.binding_required)
      : new Refused('invalid_value', `client-first-message: ${error.message}`)
  }
}
