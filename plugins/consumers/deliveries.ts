import type { UserSession } from '../../core/index.ts'
import type { Consumer } from './consumer.ts'
import { ConsumerTaken } from './messages.ts'
import type { Parts } from './parts.ts'

/** Delivers events to a session from now on: first those in flight, then those above the position. */
export function startDelivery({ conversations, store }: Parts, consumer: Consumer, session: UserSession) {
  const delivery = conversations.deliver(session, {
    individually: true,
    after: 0,
    load: (after, limit) => loadEvents({ conversations, store }, consumer, after, limit),
    onPushed: (id) => {
      if (consumer.pushed(id)) return
      // Acknowledged before the push: the client will not acknowledge it again.
      setImmediate(() => {
        if (consumer.acknowledge(id)) store.saveLater(consumer)
      })
    },
    onForgotten: (id) => consumer.forget(id),
  })
  consumer.holder = { session, delivery }
  store.hold(consumer)
  // After the reply.
  setImmediate(() => delivery.catchUp())
}

/** Ends the delivery to the session that holds the consumer, and notifies it. */
export function endDelivery({ conversations }: Parts, consumer: Consumer) {
  const { active, holder, name } = consumer
  consumer.holder = undefined
  if (holder === undefined || !active) return
  conversations.endDelivery(holder.session, holder.delivery)
  holder.session.send(ConsumerTaken, { consumer: name })
}

/** Unacknowledged events above an id. */
async function loadEvents(
  { conversations, store }: Pick<Parts, 'conversations' | 'store'>,
  consumer: Consumer,
  after: number,
  limit: number,
) {
  const { userId, position } = consumer
  const query = { unreadOnly: false, withoutOwn: true }
  const pending = consumer.pending.filter((id) => id > after).slice(0, limit)
  if (pending.length === 0) return conversations.read(userId, { ...query, after: Math.max(after, position), limit })
  // One query for all: pending ids may lie far apart.
  const { found } = await conversations.read(userId, { ...query, after, limit: pending.length, only: pending })
  const existing = new Set(found.map(({ message }) => message.id))
  for (const id of pending) if (!existing.has(id)) consumer.forget(id)
  if (found.length < pending.length) store.saveLater(consumer)
  return { found, more: true }
}
