import type { App } from '../../core/index.ts'
import { actor } from '../accounts/actor.ts'
import type { Accounts } from '../accounts/index.ts'
import { verifierFrom } from '../accounts/verifier.ts'
import { CreateUser, QueryUsers, SetUserActive, SetUserPassword } from './messages.ts'

const USERS_PER_PAGE = 100

/** Accounts: list, create, enable and disable, set the password. */
export function handleAccounts(app: App, accounts: Accounts) {
  app.handle(QueryUsers, async (_session, { after }) => {
    const found = await accounts.list(after, USERS_PER_PAGE + 1)
    const users = found.slice(0, USERS_PER_PAGE).map(({ id, name, nickname, role, active, registeredAt }) => {
      const sessions = app.presence.sessionsOf(id)
      return { id, user: name, nickname, role, active, sessions, registeredAt }
    })
    return { more: found.length > USERS_PER_PAGE, users }
  })

  app.handle(CreateUser, async (session, { user, nickname, role, ...verifier }) => {
    const created = await accounts.create({ name: user, nickname, role, verifier: verifierFrom(verifier) })
    app.audit.info({ event: 'user_created', ...actor(session), user: created.name, role })
    return { id: created.id, user: created.name }
  })

  app.handle(SetUserActive, async (session, { user, active }) => {
    await accounts.setActive(user, active)
    app.audit.info({ event: active ? 'user_enabled' : 'user_disabled', ...actor(session), user })
  })

  app.handle(SetUserPassword, async (session, { user, ...verifier }) => {
    await accounts.setVerifier(user, verifierFrom(verifier))
    app.audit.info({ event: 'password_set', ...actor(session), user })
  })
}
