import { definePlugin, FairSemaphore, Refused, type Session } from '../../core/index.ts'
import {
  type Challenge,
  createChallenge,
  fakeVerifier,
  readClientFirst,
  ScramError,
  verifyClientFinal,
} from '../../core/scram/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { isSameVerifier } from '../accounts/verifier.ts'
import { registration } from '../registration/index.ts'
import { Attempts } from './attempts.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import { LoginRate } from './login-rate.ts'
import * as messages from './messages.ts'

const { ChangePassword, Login, LoginProof, Logout } = messages

/** Accounts looked up at once for strangers, in all and of one address: users need the database as well. */
const [LOOKUPS, LOOKUPS_OF_ADDRESS] = [4, 2]
/** Bytes of a name: no account has a longer one. */
const MAX_NAME = 255

interface Pending {
  readonly challenge: Challenge
  readonly name: string
  readonly account: Account | undefined
}

/** SCRAM-SHA-256, always bound to the Noise handshake, so that nobody in the middle can pass a login on. */
export const login = definePlugin({
  name: 'login',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, registration },
  setup(app, { needs, limits, log }) {
    const pending = new WeakMap<Session, Pending>()
    const attempts = new Attempts(limits)
    const rate = new LoginRate(limits, app.clock)
    const lookups = new FairSemaphore(LOOKUPS, LOOKUPS_OF_ADDRESS)
    // An unknown name gets the same salt each time, also after a restart, just as a known one does.
    const secret = app.secret('salt of unknown names')

    /** Ends an exchange: the account whose password was proven. A challenge is good for one answer. */
    const prove = async (session: Session, clientFinal: string): Promise<{ account: Account; serverFinal: string }> => {
      const exchange = pending.get(session)
      pending.delete(session)
      if (exchange === undefined) throw new Refused('login_failed', 'begin with login')
      let fault: ScramError | undefined
      const serverFinal = await attempts.attempt(exchange.name, session.network, () => {
        try {
          return verifyClientFinal(exchange.challenge, clientFinal, session.channelBinding)
        } catch (error) {
          if (!(error instanceof ScramError)) throw error
          fault = error
          return undefined
        }
      })
      if (serverFinal === undefined || exchange.account === undefined) {
        // Only for attempts that were counted: those are few. The peer learns no more than "wrong"; a binding that does
        // not fit is a sign of someone in the middle.
        if (fault !== undefined) log.warn({ address: session.address, code: fault.code }, 'login refused')
        app.audit.info({ event: 'login_failed', user: exchange.name, address: session.address })
        throw new Refused('login_failed')
      }
      // The account may have changed since the challenge: what counts is how it is now.
      const account = await needs.accounts.find(exchange.account.name)
      if (!account?.active) throw new Refused('account_disabled')
      if (!isSameVerifier(account.verifier, exchange.account.verifier))
        throw new Refused('login_failed', 'the password was just changed')
      return { account, serverFinal }
    }

    app.handle(Login, async (session, { clientFirst }) => {
      const first = parse(() => readClientFirst(clientFirst))
      if (Buffer.byteLength(first.user) > MAX_NAME) throw new Refused('invalid_value', 'the name is too long')
      await attempts.check(first.user, session.network)
      // Made for known names as well, and each time: neither the work nor the answer may differ.
      const name = first.user.toLowerCase()
      const fake = fakeVerifier(secret, name, needs.accounts.shapes.of(name, secret, needs.registration.shape))
      const account = await lookups.run(session.network, () => needs.accounts.read(first.user))
      const challenge = createChallenge(first, account?.verifier ?? fake)
      pending.set(session, { challenge, name: first.user, account: account?.verifier && account })
      return { serverFirst: challenge.serverFirst, preHash: challenge.verifier.preHash }
    })

    app.handle(LoginProof, async (session, { clientFinal }) => {
      const { account, serverFinal } = await prove(session, clientFinal)
      rate.take(account)
      session.login({ id: account.id, name: account.name, nickname: account.nickname, role: account.role })
      log.info({ user: account.name, session: session.id, address: session.address }, 'logged in')
      const { id, name: user, nickname, role } = account
      return { serverFinal, id, user, nickname, role, epoch: app.epoch }
    })

    app.handle(ChangePassword, async (session, { clientFinal, ...keys }) => {
      const { account } = await prove(session, clientFinal)
      if (account.id !== session.user.id) throw new Refused('not_allowed')
      rate.take(account)
      const verifier = needs.registration.verifierFor(session, keys)
      await needs.accounts.setVerifier(account.name, verifier, session.id)
      app.audit.info({ event: 'password_changed', user: account.name, address: session.address })
    })

    app.handle(Logout, (session) => session.close('logged_out'), { rated: false })

    return {
      /**
       * Whether a login may be tried whose proof this server has to work for itself.
       * @throws Refused `too_many_attempts`
       */
      checkBeforeWork: (session: Session, name: string) => attempts.checkBeforeWork(name, session.network),
    }
  },
})

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
