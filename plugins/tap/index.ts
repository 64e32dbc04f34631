import { type ClientMessage, definePlugin, Refused, type ServerMessage, type Session } from '../../core/index.ts'
import { findGroup } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { accounts } from '../accounts/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Tap } from './tap.ts'

/** Pushed as bytes that were encoded once for many sessions, which nobody is told of; and a tap of a tap would not end. */
const NEVER_TOLD = [
  'on_new_message',
  'friend_on_off_line',
  'room_user_on_off_line',
  messages.Tap.name,
  messages.Tapped.name,
]

/** Shows an operator what goes through the server while it does. Costs nothing while nobody looks. */
export const tap = definePlugin({
  name: 'tap',
  messages,
  limits: LIMITS,
  needs: { accounts },
  setup(app, { needs, limits, db }) {
    /** What ends each tap. */
    const taps = new Map<Session, () => void>()

    const end = (session: Session) => {
      taps.get(session)?.()
      taps.delete(session)
    }
    /** Nobody is told of the end of a session that has no user. */
    const endClosed = () => {
      for (const session of taps.keys()) if (!session.open) end(session)
    }

    /** @throws Refused for what this server does not have, which would be silence */
    const check = async (user: string, type: string, group: string) => {
      const account = user === '' ? undefined : await needs.accounts.find(user)
      if (user !== '' && account === undefined)
        throw new Refused(ACCOUNT_FAILURES.user_not_exist, `there is no user "${user}"`)
      if (NEVER_TOLD.includes(type))
        throw new Refused('invalid_value', `${type} cannot be tapped: tap what sets it off, such as send_message`)
      if (type !== '' && app.catalogue.byName(type) === undefined)
        throw new Refused('invalid_value', `this server has no message type "${type}"`)
      if (group !== '' && (await findGroup(db, group)) === undefined)
        throw new Refused(GROUP_FAILURES.group_not_exist, `there is no group "${group}"`)
      return account?.name ?? ''
    }

    app.handle(messages.Tap, async (session, { user: asked, type, group, texts }) => {
      const user = await check(asked, type, group)
      // First the trace: where none can be left, nobody reads along.
      if (texts) app.audit.info({ event: 'tap', ...actor(session), user, type, group, texts, session: session.id })
      endClosed()
      end(session)
      const filter = { user, type, group: group.toLowerCase(), texts }
      const view = new Tap(session, filter, { clock: app.clock, perSecond: limits.tapRate })
      const guarded =
        (tell: (from: Session, values: object) => void) =>
        (from: Session, values: object): void =>
          session.open ? tell(from, values) : endClosed()
      const ends = [...app.catalogue]
        .filter((message) => !NEVER_TOLD.includes(message.name) && view.needs(message))
        .map((message) =>
          message.from === 'client'
            ? app.on(
                message as ClientMessage,
                guarded((from, values) => view.in(from, message, values as never)),
              )
            : app.on(
                message as ServerMessage,
                guarded((from, values) => view.out(from, message, values as never)),
              ),
        )
      taps.set(session, () => {
        for (const off of ends) off()
      })
    })

    app.status(() => {
      endClosed()
      return { taps: taps.size }
    })
  },
})
