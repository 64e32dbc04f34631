import type { App } from '../../core/index.ts'
import { actor } from '../accounts/actor.ts'
import type { Accounts } from '../accounts/index.ts'
import { ActAs, KickUser } from './messages.ts'

/** Sessions of users: act in one, end all. */
export function handleSessions(app: App, accounts: Accounts) {
  app.handle(ActAs, async (session, { user }) => {
    const account = await accounts.require(user, { active: true })
    // Before the login: no acting as a user without a record.
    app.audit.info({ event: 'act_as', ...actor(session), as: account.name, session: session.id })
    const { id, name, nickname, role } = account
    accounts.sessionBegan(session.login({ id, name, nickname, role }), account)
  })

  app.handle(KickUser, async (session, { user }) => {
    const account = await accounts.require(user)
    const { sessions, silent } = await app.users.close(account.id, 'kicked')
    const silentNodes = silent.join(', ')
    const nodes = silentNodes === '' ? {} : { silentNodes }
    app.audit.info({ event: 'user_kicked', ...actor(session), user: account.name, sessions, ...nodes })
    return { sessions, silentNodes }
  })
}
