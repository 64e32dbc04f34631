import { type ClientMessage, definePlugin } from '../../core/index.ts'
import { actor } from '../accounts/actor.ts'
import { accounts } from '../accounts/index.ts'
import { verifierFrom } from '../accounts/verifier.ts'
import * as messages from './messages.ts'

const { ActAs, CreateUser, KickUser, QueryUsers, SetUserActive, SetUserPassword } = messages

const PAGE = 100

/** What operators do: run accounts, and act as a user. All of it is in the audit log. */
export const admin = definePlugin({
  name: 'admin',
  messages,
  needs: { accounts },
  setup(app, { needs }) {
    app.handle(ActAs, async (session, { user }) => {
      const account = await needs.accounts.requireActive(user)
      // First the trace: where none can be left, nobody acts.
      app.audit.info({ event: 'act_as', ...actor(session), as: account.name, session: session.id })
      session.login({ id: account.id, name: account.name, nickname: account.nickname, role: account.role })
    })

    app.handle(QueryUsers, async (_session, { after }) => {
      const found = await needs.accounts.list(after, PAGE + 1)
      const users = found.slice(0, PAGE).map(({ id, name, nickname, role, active, registeredAt }) => {
        const sessions = app.sessions.of(id).size
        return { id, user: name, nickname, role, active, sessions, registeredAt }
      })
      return { more: found.length > PAGE, users }
    })

    app.handle(CreateUser, async (session, { user, nickname, role, ...verifier }) => {
      const created = await needs.accounts.create({ name: user, nickname, role, verifier: verifierFrom(verifier) })
      app.audit.info({ event: 'user_created', ...actor(session), user: created.name, role })
      return { id: created.id, user: created.name }
    })

    app.handle(SetUserActive, async (session, { user, active }) => {
      await needs.accounts.setActive(user, active)
      app.audit.info({ event: active ? 'user_enabled' : 'user_disabled', ...actor(session), user })
    })

    app.handle(SetUserPassword, async (session, { user, ...verifier }) => {
      await needs.accounts.setVerifier(user, verifierFrom(verifier))
      app.audit.info({ event: 'password_set', ...actor(session), user })
    })

    app.handle(KickUser, async (session, { user }) => {
      const account = await needs.accounts.require(user)
      // A copy: closing takes a session out of the set.
      const sessions = [...app.sessions.of(account.id)].filter(({ open }) => open)
      for (const kicked of sessions) kicked.close('kicked')
      app.audit.info({ event: 'user_kicked', ...actor(session), user: account.name, sessions: sessions.length })
      return { sessions: sessions.length }
    })

    // Whatever an operator does in a user's name leaves a trace, whichever plugin's message it is.
    for (const message of app.catalogue) {
      if (message.from !== 'client' || message.allow !== 'user') continue
      app.on(message as ClientMessage, (session, values, reply) => {
        if (!session.isOperator) return
        const { id } = (reply ?? {}) as { id?: number }
        const made = id === undefined ? {} : { id }
        app.audit.info({
          event: message.name,
          ...actor(session),
          as: session.user?.name,
          ...traceOf(message, values),
          ...made,
        })
      })
    }
  },
})

/** To whom and which, but not what was said: the names and numbers of a message, without texts and bytes. */
function traceOf(message: ClientMessage, values: Record<string, unknown>): Record<string, unknown> {
  const isTraced = ([name, value]: [string, unknown]) => {
    const kind = message.fields[name]?.kind
    if (kind === 'line' || kind === 'oneOf') return name !== 'clientFinal' && value !== ''
    return typeof value === 'number' && value !== 0
  }
  return Object.fromEntries(Object.entries(values).filter(isTraced))
}
