import { type ClientMessage, definePlugin, Refused, type ServerMessage, type Session } from '../../core/index.ts'
import { findGroup } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { accounts } from '../accounts/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { RemoteTaps, SessionOutput } from './remote-taps.ts'
import { type Filter, Tap, type TapOutput } from './tap.ts'

/** A tap of a tap would not end. */
const UNTAPPABLE: readonly string[] = [messages.Tap.name, messages.Tapped.name]

/** Shows an operator the messages of sessions, on all nodes, as they come and go. Costs nothing while there is no tap. */
export const tap = definePlugin({
  name: 'tap',
  messages,
  limits: LIMITS,
  needs: { accounts },
  setup(app, { needs, limits, db }) {
    /** Functions that end the taps. */
    const taps = new Map<Session, () => void>()

    /** Starts a tap of the sessions of this node. @param session the operator's, if it is on this node */
    const start = (filter: Filter, output: TapOutput, session?: Session) => {
      const { clock, cluster, catalogue } = app
      const view = new Tap(filter, { output, clock, perSecond: limits.tapRate, node: cluster.node, session })
      const offs = [...catalogue]
        .filter((message) => !UNTAPPABLE.includes(message.name) && view.needs(message))
        .map((message) =>
          message.from === 'client'
            ? app.on(message as ClientMessage, (from, values) => view.in(from, message, values))
            : app.on(message as ServerMessage, (from, values) => view.out(from, message, values)),
        )
      return () => {
        for (const off of offs) off()
      }
    }
    const remote = new RemoteTaps(app, start)

    const end = (session: Session) => {
      taps.get(session)?.()
      taps.delete(session)
    }

    /** @throws Refused for a filter that cannot match */
    const check = async (user: string, type: string, group: string) => {
      const account = user === '' ? undefined : await needs.accounts.find(user)
      if (user !== '' && account === undefined)
        throw new Refused(ACCOUNT_FAILURES.user_not_exist, `there is no user "${user}"`)
      if (UNTAPPABLE.includes(type)) throw new Refused('invalid_value', `${type} cannot be tapped`)
      if (type !== '' && app.catalogue.byName(type) === undefined)
        throw new Refused('invalid_value', `this server has no message type "${type}"`)
      if (group !== '' && (await findGroup(db, group)) === undefined)
        throw new Refused(GROUP_FAILURES.group_not_exist, `there is no group "${group}"`)
      return account?.name ?? ''
    }

    app.handle(messages.Tap, async (session, { user: asked, type, group, texts }) => {
      const user = await check(asked, type, group)
      // Before the tap: if the audit log cannot be written, no texts are shown.
      if (texts) app.audit.info({ event: 'tap', ...actor(session), user, type, group, texts, session: session.id })
      // The end of an earlier tap of this session is waited for already.
      if (taps.has(session)) end(session)
      else void session.closed.then(() => end(session))
      const filter = { user, type, group: group.toLowerCase(), texts }
      const output = new SessionOutput(session)
      const ends = [start(filter, output, session), remote.begin(filter, output)]
      taps.set(session, () => {
        for (const end of ends) end()
      })
    })

    app.status(() => ({ taps: taps.size }))
  },
})
