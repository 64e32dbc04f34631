import { InOrder, type UserSession } from '../../core/index.ts'
import { AcknowledgeEvent, QueryState } from './messages.ts'
import type { Parts } from './parts.ts'
import { acknowledge } from './shared.ts'

/** Acknowledgements of events, and the state that is stored with them. */
export function handleAcknowledgements(parts: Parts) {
  const { app, store } = parts
  /** Look-ups of consumers by session, in the order of its messages. */
  const lookups = new InOrder<UserSession>()
  const isAlone = app.cluster.node === 0

  app.handle(
    AcknowledgeEvent,
    async (session, { consumer: name, id, keep, key, state }) => {
      const { id: userId } = session.user
      if (keep) {
        // It reads and writes a row of its own: as much as a request.
        session.charge(1)
        return acknowledge(parts, { userId, name, ids: id === 0 ? [] : [id], kept: { key, state } })
      }
      // A query costs as much as a request.
      const load = () => {
        if (store.peek(userId, name) === undefined) session.charge(1)
        return store.require(userId, name)
      }
      if (!isAlone) {
        await lookups.find(session, load)
        return acknowledge(parts, { userId, name, ids: [id] })
      }
      const consumer = await lookups.find(session, load)
      if (consumer.acknowledge(id)) await store.save(consumer)
      // A repeated acknowledgement after a failed write: done only once the position is written.
      else await store.writer.settled()
    },
    { rated: false, pipelined: ({ keep }) => !keep },
  )

  app.handle(QueryState, async ({ user }, { consumer: name, key }) => {
    await store.require(user.id, name)
    return { state: await store.writer.state(user.id, name, key) }
  })
}
