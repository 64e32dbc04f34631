import { definePlugin, Refused, SessionEnded, type UserSession } from '../../core/index.ts'
import { ConsumerWriter, consumersOf, countConsumers, countStates, findConsumer, lastIdBefore } from '../../db/index.ts'
import { privateMessages } from '../messages/index.ts'
import { Consumer } from './consumer.ts'
import * as messages from './messages.ts'

const { AcknowledgeEvent, Consume, ConsumerTaken, DeleteConsumer, MoveConsumer, QueryConsumers, QueryState } = messages

/**
 * Durable consumers: a user's messages as events, each of which comes until it was acknowledged by itself, to whoever
 * goes on in the consumer's name. Read or unread is another matter: that is about people.
 */
export const consumers = definePlugin({
  name: 'consumers',
  messages,
  needs: { messages: privateMessages },
  setup(app, { needs, log, db }) {
    const { office } = needs.messages
    const writer = new ConsumerWriter(db)
    app.onStop(() => writer.close())
    /** Those of users who are here, by user and name. */
    const open = new Map<number, Map<string, Promise<Consumer | undefined>>>()

    const load = async (userId: number, name: string): Promise<Consumer | undefined> => {
      // One that was closed a moment ago may not be written yet.
      await writer.settled()
      const row = await findConsumer(db, userId, name)
      return row && new Consumer(row)
    }

    /** One consumer is one object, however many sessions ask for it at once. */
    const find = (userId: number, name: string): Promise<Consumer | undefined> => {
      const own = open.get(userId) ?? new Map<string, Promise<Consumer | undefined>>()
      const known = own.get(name)
      if (known !== undefined) return known
      const loading = load(userId, name)
      open.set(userId, own.set(name, loading))
      const forget = () => own.get(name) === loading && own.delete(name)
      loading.then((found) => found ?? forget(), forget)
      return loading
    }

    const existing = async (userId: number, name: string): Promise<Consumer> => {
      const found = await find(userId, name)
      if (found === undefined) throw noConsumer(name)
      return found
    }

    /** For what nobody waits for: it is written with the next if it fails. */
    const save = (consumer: Consumer) =>
      void writer.save(consumer.row).catch((error) => log.warn({ err: error }, 'cannot keep where a consumer is'))

    const isOpen = (userId: number, name: string) => open.get(userId)?.has(name) === true

    /** Finds a consumer or makes one at a position. */
    const make = async (userId: number, name: string, position: () => number) => {
      for (;;) {
        const found = await find(userId, name)
        if (found !== undefined) return { consumer: found, isNew: false }
        if ((await countConsumers(db, userId)) >= app.limits.consumers)
          throw new Refused('too_many', 'you have too many consumers already; delete_consumer forgets one')
        // Somebody else may have made it meanwhile.
        if (isOpen(userId, name)) continue
        const row = { user_id: userId, name, position: position(), pending: [], moved_at: app.clock.time() }
        const consumer = new Consumer(row)
        open.set(userId, (open.get(userId) ?? new Map()).set(name, Promise.resolve(consumer)))
        await writer.save(row)
        return { consumer, isNew: true }
      }
    }

    /** Whoever had the consumer until now gets no more of it. */
    const release = (consumer: Consumer) => {
      const { active, holder, name } = consumer
      consumer.holder = undefined
      if (holder === undefined || !active) return
      office.end(holder.session, holder.delivery)
      holder.session.send(ConsumerTaken, { consumer: name })
    }

    /** What the consumer has not acknowledged, above an id: first what was out already, one by one. */
    const read = async (consumer: Consumer, after: number, limit: number) => {
      const { userId, position } = consumer
      const query = { unreadOnly: false, withoutOwn: true }
      const out = consumer.pending.filter((id) => id > after).slice(0, limit)
      if (out.length === 0) return office.read(userId, { ...query, after: Math.max(after, position), limit })
      const found = []
      for (const id of out) {
        const [event] = (await office.read(userId, { ...query, after: id - 1, limit: 1 })).found
        if (event?.message.id === id) found.push(event)
        else consumer.forget(id)
      }
      if (found.length < out.length) save(consumer)
      return { found, more: true }
    }

    const start = (consumer: Consumer, session: UserSession) => {
      const delivery = office.begin(session, {
        individually: true,
        after: 0,
        load: (after, limit) => read(consumer, after, limit),
        onPushed: (id) => {
          if (consumer.pushed(id)) return
          // The client has handled it: no acknowledgement will make room for another one.
          setImmediate(() => {
            if (consumer.acknowledge(id)) save(consumer)
          })
        },
        onForgotten: (id) => consumer.forget(id),
      })
      consumer.holder = { session, delivery }
      // After the reply.
      setImmediate(() => delivery.catchUp())
    }

    app.handle(
      Consume,
      async (session, { consumer: name, all, maxAge }) => {
        const { id } = session.user
        const { consumer, isNew } = await make(id, name, () => (all ? 0 : office.writer.newest))
        const tooOld = maxAge > 0 ? await lastIdBefore(db, app.clock.time() - maxAge) : 0
        if (!session.open) throw new Refused('logged_out')
        consumer.skipTo(tooOld)
        if (consumer.holder?.session !== session) release(consumer)
        const { position, pending } = consumer
        start(consumer, session)
        return { position, pending: pending.length, isNew }
      },
      { serial: true },
    )

    /** @throws Refused `too_many` */
    const refuseTooManyKeys = async (userId: number, name: string, key: string) => {
      if ((await writer.state(userId, name, key)) !== '') return
      if ((await countStates(db, userId, name)) >= app.limits.consumerKeys)
        throw new Refused('too_many', 'this consumer keeps too much already')
    }

    app.handle(
      AcknowledgeEvent,
      async ({ user }, { consumer: name, id, keep, key, state }) => {
        const consumer = await existing(user.id, name)
        if (keep && state !== '') await refuseTooManyKeys(user.id, name, key)
        const changed = consumer.acknowledge(id)
        if (!changed && !keep) return
        const kept = { user_id: user.id, name, state_key: key, state }
        const saved = writer.save(consumer.row, ...(keep ? [kept] : []))
        // Somebody goes on only when this is kept; of events that were handled many come together.
        if (id === 0) writer.flush()
        await saved
      },
      { rated: false },
    )

    app.handle(
      MoveConsumer,
      async ({ user }, { consumer: name, after, since }) => {
        const position = since === 0 ? after : await lastIdBefore(db, since)
        const { consumer, isNew } = await make(user.id, name, () => position)
        release(consumer)
        consumer.moveTo(position, app.clock.time())
        await writer.save(consumer.row)
        return { position, pending: 0, isNew }
      },
      { serial: true },
    )

    app.handle(
      QueryConsumers,
      async ({ user }) => {
        await writer.settled()
        const rows = await consumersOf(db, user.id)
        return {
          consumers: await Promise.all(
            rows.map(async ({ name, position, pending, moved_at }) => {
              const active = (await open.get(user.id)?.get(name))?.active === true
              return { consumer: name, position, pending: pending.length, active, movedAt: moved_at }
            }),
          ),
        }
      },
      { serial: true },
    )

    const remove = async (consumer: Consumer): Promise<undefined> => {
      release(consumer)
      await writer.delete(consumer.userId, consumer.name)
    }

    app.handle(DeleteConsumer, async ({ user }, { consumer: name }) => {
      const found = find(user.id, name)
      const removing = found.then((consumer) => consumer && remove(consumer))
      // Whoever asks for it meanwhile finds none.
      const own = open.get(user.id)
      own?.set(name, removing)
      try {
        await removing
      } finally {
        if (own?.get(name) === removing) own.delete(name)
      }
      if ((await found) === undefined) throw noConsumer(name)
    })

    app.handle(QueryState, async ({ user }, { consumer: name, key }) => {
      await existing(user.id, name)
      return { state: await writer.state(user.id, name, key) }
    })

    app.on(SessionEnded, (session) => {
      if (app.sessions.of(session.user.id).size === 0) open.delete(session.user.id)
    })
  },
})

const noConsumer = (name: string) => new Refused('no_consumer', `there is no consumer "${name}"`)
