import { definePlugin, Refused, type Session } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
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
    const attempts = new LoginAttempts(limits)
    const rate = new LoginRate(limits, app.clock)
    const exchanges = new Exchanges({ app, log, accounts, attempts, shape: registration.shape })

    app.handle(Login, async (session, { clientFirst }) => {
      const { serverFirst, verifier } = await exchanges.begin(session, clientFirst)
      return { serverFirst, preHash: verifier.preHash }
    })

    app.handle(LoginProof, async (session, { clientFinal }) => {
      const { account, serverFinal } = await exchanges.prove(session, clientFinal)
      rate.take(account)
      session.login({ id: account.id, name: account.name, nickname: account.nickname, role: account.role })
      log.info({ user: account.name, session: session.id, address: session.address }, 'logged in')
      const { id, name: user, nickname, role } = account
      return { serverFinal, id, user, nickname, role, epoch: app.epoch }
    })

    app.handle(ChangePassword, async (session, { clientFinal, ...keys }) => {
      const { account } = await exchanges.prove(session, clientFinal)
      if (account.id !== session.user.id) throw new Refused('not_allowed')
      rate.take(account)
      await accounts.setVerifier(account.name, registration.verifierFor(session, keys), session.id)
      app.audit.info({ event: 'password_changed', user: account.name, address: session.address })
    })

    app.handle(Logout, (session) => session.close('logged_out'), { rated: false })

    return {
      /**
       * Checks the limits of a login whose proof is computed by this server.
       * @throws Refused `too_many_attempts`
       */
      checkBeforeWork: (session: Session, name: string) => attempts.checkBeforeWork(name, session.network),
    }
  },
})
