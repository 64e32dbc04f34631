import { definePlugin, Refused, type Session, type UserSession } from '../../core/index.ts'
import { type Account, accounts } from '../accounts/index.ts'
import { registration } from '../registration/index.ts'
import { Exchanges } from './exchanges.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import { LoginAttempts } from './login-attempts.ts'
import { LoginRate } from './login-rate.ts'
import * as messages from './messages.ts'

const { ChangePassword, Login, LoginProof, Logout } = messages

/** Login and change of the password, both by SCRAM-SHA-256. */
export const login = definePlugin({
  name: 'login',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, registration },
  setup(app, { needs: { accounts, registration }, limits, log }) {
    const attempts = new LoginAttempts(limits, app.cluster)
    app.onStop(attempts.hear())
    const rate = new LoginRate(limits, app.clock)
    const exchanges = new Exchanges({ app, log, accounts, attempts, shape: registration.shape })

    /** @throws Refused `rate_limited`, `too_many_sessions` */
    const enter = (session: Session, account: Account): UserSession => {
      rate.take(account)
      const { id, name, nickname, role } = account
      const entered = session.login({ id, name, nickname, role })
      accounts.sessionBegan(entered, account)
      log.info({ user: name, session: session.id, address: session.address }, 'logged in')
      return entered
    }

    app.handle(Login, async (session, { clientFirst }) => {
      const { serverFirst, verifier } = await exchanges.begin(session, clientFirst)
      return { serverFirst, preHash: verifier.preHash }
    })

    app.handle(LoginProof, async (session, { clientFinal }) => {
      const { account, serverFinal } = await exchanges.prove(session, clientFinal)
      enter(session, account)
      const { id, name: user, nickname, role } = account
      return { serverFinal, id, user, nickname, role, epoch: app.epoch }
    })

    app.handle(ChangePassword, async (session, { clientFinal, ...keys }) => {
      const { account } = await exchanges.prove(session, clientFinal)
      if (account.id !== session.user.id) throw new Refused('not_allowed')
      rate.take(account)
      const verifier = registration.verifierFor(session, keys)
      await accounts.setVerifier(account.name, verifier, session)
      app.audit.info({ event: 'password_changed', user: account.name, address: session.address })
    })

    app.handle(Logout, (session) => session.close('logged_out'), { rated: false })

    return {
      /**
       * Checks the limits of a login whose proof is computed by this server.
       * @throws Refused `too_many_attempts`
       */
      checkBeforeWork: (session: Session, name: string) => attempts.checkBeforeWork(name, session.network),
      /** Runs the look-up of a login other than with a password. @throws Refused `too_many_attempts` */
      lookUp: async <T>(session: Session, name: string, work: () => Promise<T>): Promise<T> => {
        await attempts.check(name, session.network)
        return exchanges.lookUp(session, work)
      },
      /**
       * Runs a proof other than that of a password, which fails by returning undefined. It counts as a login with one.
       * @throws Refused `login_failed`, `too_many_attempts`
       */
      attempt: async <T>(session: Session, name: string, prove: () => T | undefined): Promise<T> => {
        const proof = await attempts.attempt(name, session.network, prove)
        if (proof !== undefined) return proof
        app.audit.info({ event: 'login_failed', user: name, address: session.address })
        throw new Refused('login_failed')
      },
      /** Logs a session in as an account that it has proven. @throws Refused `rate_limited`, `too_many_sessions` */
      enter,
    }
  },
})
