import { ALONE, definePlugin } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { friends } from '../friends/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { FAILURES } from './failures.ts'
import { ForeignStreams } from './foreign-streams.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Streams } from './streams.ts'
import { Targets } from './targets.ts'

const { OpenStream, StreamDelta, CloseStream, DiscardStream, FollowStreams } = messages

/** Messages that are seen while they are written. Only the whole message is stored, and delivered to everyone else. */
export const streams = definePlugin({
  name: 'streams',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, friends, groups },
  setup(app, { needs: { accounts, messages: conversations, friends, groups }, limits, log, db }) {
    const parts = { app, limits, log, db, accounts, friends, groups, conversations }
    const streams = new Streams(parts)
    const targets = new Targets(parts)
    const { followers } = streams
    if (app.cluster !== ALONE) {
      const { clock } = app
      const maxText = conversations.maxText
      new ForeignStreams({ app, clock, log, followers, targets, maxText, pause: limits.streamPause })
    }

    app.handle(OpenStream, async (session, wanted) => {
      const target = await targets.find(session, wanted)
      const { clientId, hops, replyTo } = wanted
      const { id, text } = await streams.open(session, { target, clientId, hops, replyTo })
      return { stream: id, at: text.length }
    })

    app.handle(
      StreamDelta,
      (session, { stream: id, at, text }) => {
        const stream = streams.own(session, id)
        stream.text.put(at, text, conversations.maxText)
        stream.view.changed(at)
      },
      { rated: false },
    )

    app.handle(CloseStream, (session, values) => streams.close(session, values))
    app.handle(DiscardStream, (session, { stream }) => streams.discard(session, stream))

    app.handle(FollowStreams, (session, { on }) => {
      if (on) streams.followers.add(session)
      else streams.followers.remove(session)
    })
  },
})
