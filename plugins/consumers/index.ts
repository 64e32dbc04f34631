import { definePlugin, InOrder, Refused, SessionEnded, type UserSession } from '../../core/index.ts'
import { consumersOf, lastIdBefore } from '../../db/index.ts'
import { privateMessages } from '../messages/index.ts'
import type { Consumer } from './consumer.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Shelf } from './shelf.ts'

const { AcknowledgeEvent, Consume, ConsumerTaken, DeleteConsumer, MoveConsumer, QueryConsumers, QueryState } = messages

/** Longest acknowledgement of an event without state: names of consumer and key are in it. */
const BARE_ACKNOWLEDGEMENT_BYTES = 512

/**
 * Durable consumers: a user's messages as events, each of which comes until it was acknowledged by itself, to whoever
 * goes on in the consumer's name. Read or unread is another matter: that is about people.
 */
export const consumers = definePlugin({
  name: 'consumers',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { messages: privateMessages },
  setup(app, { needs, limits, log, db }) {
    const conversations = needs.messages
    const shelf = new Shelf({ db, log, clock: app.clock, limits })
    app.onStop(() => shelf.writer.close())

    /** Whoever had the consumer until now gets no more of it. */
    const release = (consumer: Consumer) => {
      const { active, holder, name } = consumer
      consumer.holder = undefined
      if (holder === undefined || !active) return
      conversations.endDelivery(holder.session, holder.delivery)
      holder.session.send(ConsumerTaken, { consumer: name })
    }

    /** What the consumer has not acknowledged, above an id: first what was out already. */
    const read = async (consumer: Consumer, after: number, limit: number) => {
      const { userId, position } = consumer
      const query = { unreadOnly: false, withoutOwn: true }
      const out = consumer.pending.filter((id) => id > after).slice(0, limit)
      if (out.length === 0) return conversations.read(userId, { ...query, after: Math.max(after, position), limit })
      // All at once: what is out may lie far apart, and one look-up each would be a hundred for one request.
      const { found } = await conversations.read(userId, { ...query, after, limit: out.length, only: out })
      const there = new Set(found.map(({ message }) => message.id))
      for (const id of out) if (!there.has(id)) consumer.forget(id)
      if (found.length < out.length) shelf.saveLater(consumer)
      return { found, more: true }
    }

    const start = (consumer: Consumer, session: UserSession) => {
      const delivery = conversations.deliver(session, {
        individually: true,
        after: 0,
        load: (after, limit) => read(consumer, after, limit),
        onPushed: (id) => {
          if (consumer.pushed(id)) return
          // The client has handled it: no acknowledgement will make room for another one.
          setImmediate(() => {
            if (consumer.acknowledge(id)) shelf.saveLater(consumer)
          })
        },
        onForgotten: (id) => consumer.forget(id),
      })
      consumer.holder = { session, delivery }
      // After the reply.
      setImmediate(() => delivery.catchUp())
    }

    /** Consumers that sessions have named, in the order of their messages. */
    const names = new InOrder<UserSession>()

    app.handle(
      Consume,
      (session, { consumer: name, all, maxAge }) =>
        shelf.inTurn(session.user.id, async () => {
          const { consumer, isNew } = await shelf.make(session.user.id, name, all ? 0 : conversations.horizon())
          const tooOld = maxAge > 0 ? await lastIdBefore(db, app.clock.time() - maxAge) : 0
          if (!session.open) throw new Refused('logged_out')
          consumer.skipTo(tooOld)
          if (consumer.holder?.session !== session) release(consumer)
          const { position, pending } = consumer
          start(consumer, session)
          return { position, pending: pending.length, isNew }
        }),
      { serial: true },
    )

    app.handle(
      AcknowledgeEvent,
      async (session, { consumer: name, id, keep, key, state }) => {
        const consumer = await names.find(session, () => {
          const { id: userId } = session.user
          const known = shelf.known(userId, name)
          // A look-up costs what a request costs.
          if (known === undefined) session.charge(1)
          return shelf.existing(userId, name)
        })
        // Without an event somebody goes on only when this is kept; of events that were handled many come together.
        const isUrgent = id === 0
        if (keep) await shelf.keep(consumer, { key, state, isUrgent }, () => consumer.acknowledge(id))
        else if (consumer.acknowledge(id)) await shelf.save(consumer)
        // Sent again after it could not be written: done only once it is.
        else await shelf.writer.settled()
      },
      // State is written as it is, however often: it costs what a request costs.
      { rated: (bytes) => bytes > BARE_ACKNOWLEDGEMENT_BYTES, pipelined: true },
    )

    app.handle(
      MoveConsumer,
      ({ user }, { consumer: name, after, since }) =>
        shelf.inTurn(user.id, async () => {
          const position = since === 0 ? after : await lastIdBefore(db, since)
          const { consumer, isNew } = await shelf.make(user.id, name, position)
          release(consumer)
          consumer.moveTo(position, app.clock.time())
          await shelf.save(consumer)
          return { position, pending: 0, isNew }
        }),
      { serial: true },
    )

    app.handle(
      QueryConsumers,
      async ({ user }) => {
        await shelf.writer.settled()
        const rows = await consumersOf(db, user.id)
        return {
          consumers: await Promise.all(
            rows.map(async ({ name, position, pending, moved_at }) => {
              const active = (await shelf.known(user.id, name))?.active === true
              return { consumer: name, position, pending: pending.length, active, movedAt: moved_at }
            }),
          ),
        }
      },
      { serial: true },
    )

    app.handle(DeleteConsumer, ({ user }, { consumer: name }) =>
      shelf.inTurn(user.id, async () => {
        const consumer = await shelf.existing(user.id, name)
        release(consumer)
        await shelf.delete(consumer)
      }),
    )

    app.handle(QueryState, async ({ user }, { consumer: name, key }) => {
      await shelf.existing(user.id, name)
      return { state: await shelf.writer.state(user.id, name, key) }
    })

    app.on(SessionEnded, ({ user }) => {
      if (app.sessions.of(user.id).size === 0) shelf.close(user.id)
    })
  },
})
