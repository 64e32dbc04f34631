import { Refused } from '../../core/index.ts'
import { consumersOf, lastIdBefore } from '../../db/index.ts'
import { endDelivery, startDelivery } from './deliveries.ts'
import { Consume, DeleteConsumer, MoveConsumer, QueryConsumers } from './messages.ts'
import type { Parts } from './parts.ts'
import { activeConsumers, takeConsumer } from './shared.ts'

/** Resolves in the turn of the event loop in which ends of connections are read that came with, or just after, a request. */
async function endsRead() {
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
}

/** Consumers: start, move, list, delete. */
export function handleConsumers(parts: Parts) {
  const { app, db, store, conversations } = parts

  app.handle(
    Consume,
    (session, { consumer: name, all, maxAge }) =>
      store.inTurn(session.user.id, async () => {
        const { id } = session.user
        // A new consumer begins behind what this request comes after.
        await conversations.caughtUp()
        const { isNew } = await store.openOrCreate(id, name, all ? 0 : conversations.horizon())
        // A request that was held up must not take the consumer from a later session.
        await endsRead()
        if (!session.open) throw new Refused('logged_out')
        const consumer = await takeConsumer(parts, id, name)
        // What was acknowledged on another node is not passed on here any more.
        await conversations.caughtUp()
        const tooOld = maxAge > 0 ? await lastIdBefore(db, app.clock.time() - maxAge) : 0
        if (!session.open) throw new Refused('logged_out')
        consumer.skipTo(tooOld)
        if (consumer.holder?.session !== session) endDelivery(parts, consumer)
        const { position, pending } = consumer
        startDelivery(parts, consumer, session)
        return { position, pending: pending.length, isNew }
      }),
    { serial: true },
  )

  app.handle(
    MoveConsumer,
    ({ user }, { consumer: name, after, since }) =>
      store.inTurn(user.id, async () => {
        const position = since === 0 ? after : await lastIdBefore(db, since)
        const { isNew } = await store.openOrCreate(user.id, name, position)
        const consumer = await takeConsumer(parts, user.id, name)
        endDelivery(parts, consumer)
        consumer.moveTo(position, app.clock.time())
        await store.save(consumer)
        return { position, pending: 0, isNew }
      }),
    { serial: true },
  )

  app.handle(
    QueryConsumers,
    async ({ user }) => {
      await store.writer.settled()
      const [rows, active] = await Promise.all([consumersOf(db, user.id), activeConsumers(parts, user.id)])
      return {
        consumers: rows.map(({ name, position, pending, moved_at }) => {
          return { consumer: name, position, pending: pending.length, active: active.has(name), movedAt: moved_at }
        }),
      }
    },
    { serial: true },
  )

  app.handle(DeleteConsumer, ({ user }, { consumer: name }) =>
    store.inTurn(user.id, async () => {
      const consumer = await takeConsumer(parts, user.id, name)
      endDelivery(parts, consumer)
      await store.delete(consumer)
    }),
  )
}
