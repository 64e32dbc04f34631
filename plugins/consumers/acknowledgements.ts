import { InOrder, type UserSession } from '../../core/index.ts'
import type { ConsumerStore } from './consumer-store.ts'
import { AcknowledgeEvent, QueryState } from './messages.ts'
import type { Parts } from './parts.ts'

/** Acknowledges several events with one write. @throws Refused `no_consumer` */
export async function acknowledgeAll(store: ConsumerStore, userId: number, name: string, ids: readonly number[]) {
  const consumer = await store.require(userId, name)
  const isNew = ids.map((id) => consumer.acknowledge(id)).includes(true)
  // A repeated acknowledgement after a failed write: done only once the position is written.
  await (isNew ? store.save(consumer) : store.writer.settled())
}

/** Acknowledgements of events, and the state that is stored with them. */
export function handleAcknowledgements({ app, store }: Parts) {
  /** Look-ups of consumers by session, in the order of its messages. */
  const lookups = new InOrder<UserSession>()

  app.handle(
    AcknowledgeEvent,
    async (session, { consumer: name, id, keep, key, state }) => {
      const { id: userId } = session.user
      if (keep) {
        // It reads and writes a row of its own: as much as a request.
        session.charge(1)
        // State without an event: the client waits for this commit alone. Acknowledgements of events come in batches.
        const kept = { userId, name, key, state, isUrgent: id === 0 }
        return store.saveWithState(kept, (consumer) => consumer.acknowledge(id))
      }
      const consumer = await lookups.find(session, () => {
        // A query costs as much as a request.
        if (store.peek(userId, name) === undefined) session.charge(1)
        return store.require(userId, name)
      })
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
