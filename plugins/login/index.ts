import { definePlugin, Refused, type Session } from '../../core/index.ts'
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
import * as messages from './messages.ts'

const { ChangePassword, Login, LoginProof, Logout } = messages

interface Pending {
  readonly challenge: Challenge
  readonly name: string
  readonly account: Account | undefined
}

/** SCRAM-SHA-256, always bound to the Noise handshake, so that nobody in the middle can pass a login on. */
export const login = definePlugin({
  name: 'login',
  messages,
  needs: { accounts, registration },
  setup(app, { needs, log }) {
    const pending = new WeakMap<Session, Pending>()
    const attempts = new Attempts(app.limits)
    // An unknown name gets the same salt each time, also after a restart, just as a known one does.
    const secret = app.secret('salt of unknown names')

    /** Ends an exchange: the account whose password was proven. A challenge is good for one answer. */
    const prove = async (session: Session, clientFinal: string): Promise<{ account: Account; serverFinal: string }> => {
      const exchange = pending.get(session)
      pending.delete(session)
      if (exchange === undefined) throw new Refused('login_failed', 'begin with login')
      const serverFinal = await attempts.attempt(exchange.name, session.address, () =>
        verify(exchange, clientFinal, session),
      )
      if (serverFinal === undefined || exchange.account === undefined) {
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

    const verify = ({ challenge }: Pending, clientFinal: string, session: Session): string | undefined => {
      try {
        return verifyClientFinal(challenge, clientFinal, session.handshakeHash)
      } catch (error) {
        if (!(error instanceof ScramError)) throw error
        // The peer learns no more than "wrong"; a binding that does not fit is a sign of someone in the middle.
        log.warn({ address: session.address, code: error.code }, 'login refused')
        return undefined
      }
    }

    app.handle(Login, async (session, { clientFirst }) => {
      const first = parse(() => readClientFirst(clientFirst))
      await attempts.check(first.user, session.address)
      const { iterations, preHash } = needs.registration
      const fake = { ...fakeVerifier(secret, first.user.toLowerCase(), iterations), preHash }
      const account = await needs.accounts.find(first.user)
      const challenge = createChallenge(first, account?.verifier ?? fake)
      pending.set(session, { challenge, name: first.user, account: account?.verifier && account })
      return { serverFirst: challenge.serverFirst, preHash: challenge.verifier.preHash }
    })

    app.handle(LoginProof, async (session, { clientFinal }) => {
      const { account, serverFinal } = await prove(session, clientFinal)
      session.login({ id: account.id, name: account.name, nickname: account.nickname, role: account.role })
      log.info({ user: account.name, session: session.id, address: session.address }, 'logged in')
      const { id, name: user, nickname, role } = account
      return { serverFinal, id, user, nickname, role, epoch: app.epoch }
    })

    app.handle(ChangePassword, async (session, { clientFinal, ...keys }) => {
      const { account } = await prove(session, clientFinal)
      if (account.id !== session.user.id) throw new Refused('not_allowed')
      const verifier = needs.registration.verifierFor(session, keys)
      await needs.accounts.setVerifier(account.name, verifier, session.id)
      app.audit.info({ event: 'password_changed', user: account.name, address: session.address })
    })

    app.handle(Logout, (session) => session.close('logged_out'), { rated: false })
  },
})

function parse<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    throw error.code === 'binding'
      ? new Refused('binding_required')
      : new Refused('invalid_value', `client-first-message: ${error.message}`)
  }
}
