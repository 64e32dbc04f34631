import test, { type ExecutionContext } from 'ava'

import { type ChatMessage, type Client, ConsumerTaken } from '../../client/index.ts'
import { definePlugin, type UserSession } from '../../core/index.ts'
import { ConsumerLost, ConsumerWriter, findConsumer, insertConsumer, migrate } from '../../db/index.ts'
import {
  AcknowledgeEvent,
  Consume,
  DeleteConsumer,
  MoveConsumer,
  QueryConsumers,
  QueryState,
} from '../../plugins/index.ts'
import { startNodes } from '../support/cluster/nodes.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'
import { nextPush, texts } from '../support/requests.ts'

/** The next events of a consumer, unacknowledged; the session keeps the consumer. */
async function take(client: Client, count: number): Promise<ChatMessage[]> {
  const events: ChatMessage[] = []
  const reading = client.events('main', { all: true })
  for await (const event of reading) if (events.push(event) === count) break
  return events
}

/** The robot has a session at each of two nodes; Alice is at the first. */
async function robotAtTwoNodes(t: ExecutionContext) {
  const [one, two] = await startNodes(t, 2)
  if (one === undefined || two === undefined) throw new Error('fewer than two nodes')
  return { one, alice: await one.user('alice'), here: await one.user('robot'), there: await two.user('robot') }
}

test('a consumer moves between nodes: none of its events is skipped, and only unacknowledged ones come again', async (t) => {
  const { alice, here, there } = await robotAtTwoNodes(t)
  for (const text of ['a', 'b', 'c', 'd']) await alice.send('robot', text)
  const [a, , c] = await take(here, 4)
  await here.acknowledgeEvent('main', a?.id ?? 0)
  await here.acknowledgeEvent('main', c?.id ?? 0)
  const taken = nextPush(here, ConsumerTaken)
  t.deepEqual(texts(await take(there, 2)), ['b', 'd'])
  t.is((await taken).consumer, 'main', 'the session on the first node is told')
  t.like(
    (await here.request(QueryConsumers, {})).consumers[0],
    { pending: 1, active: true },
    'also the first node knows',
  )
  t.deepEqual(texts(await take(here, 2)), ['b', 'd'])
})

test('an event is acknowledged at any node; state is stored with it', async (t) => {
  const [one, two, three] = await startNodes(t, 3)
  if (one === undefined || two === undefined || three === undefined) return t.fail()
  const alice = await one.user('alice')
  const here = await one.user('robot')
  const there = await two.user('robot')
  for (const text of ['a', 'b']) await alice.send('robot', text)
  const [a, b] = await take(here, 2)
  await there.acknowledgeEvent('main', a?.id ?? 0)
  await there.request(AcknowledgeEvent, { consumer: 'main', id: b?.id ?? 0, keep: true, key: 'k', state: 'seen' })
  const third = await three.user('robot')
  t.like((await third.request(QueryConsumers, {})).consumers[0], { position: b?.id ?? 0, pending: 0 })
  t.is((await third.request(QueryState, { consumer: 'main', key: 'k' })).state, 'seen')
})

test('a node that was cut off cannot store the position of a consumer that another one has taken', async (t) => {
  const { one, alice, here, there } = await robotAtTwoNodes(t)
  for (const text of ['a', 'b']) await alice.send('robot', text)
  const [a, b] = await take(here, 2)
  one.bus.cut()
  t.deepEqual(texts(await take(there, 2)), ['a', 'b'])
  await there.acknowledgeEvent('main', a?.id ?? 0)
  const taken = nextPush(here, ConsumerTaken)
  await t.throwsAsync(here.acknowledgeEvent('main', b?.id ?? 0), { message: /./ }, 'it does not reach the other node')
  await taken
  one.bus.heal()
  t.deepEqual(texts(await take(here, 1)), ['b'])
})

test('a consumer that a node has loaded before others moved it begins where they left it', async (t) => {
  const { alice, here, there } = await robotAtTwoNodes(t)
  for (const text of ['a', 'b', 'c']) await alice.send('robot', text)
  const [a, b] = await take(there, 3)
  await here.request(QueryState, { consumer: 'main', key: 'k' })
  for (const event of [a, b]) await there.acknowledgeEvent('main', event?.id ?? 0)
  t.deepEqual(texts(await take(here, 1)), ['c'])
})

test('a request that was held up until its session had ended takes no consumer from a later session', async (t) => {
  let hold: ((session: UserSession) => void) | undefined
  const door = definePlugin({
    name: 'door',
    setup(app) {
      app.before(Consume, async (session) => {
        if (hold === undefined) return
        hold(session)
        await session.closed
      })
    },
  })
  const [one, two] = await startNodes(t, 2, { plugins: [door] })
  if (one === undefined || two === undefined) return t.fail()
  const alice = await one.user('alice')
  const early = await one.user('robot')
  const later = await two.user('robot')
  await alice.send('robot', 'a')
  const [a] = await take(later, 1)
  const held = new Promise<UserSession>((resolve) => {
    hold = resolve
  })
  const asked = early.request(Consume, { consumer: 'main', all: false, maxAge: 0 })
  ;(await held).close('logged_out')
  await t.throwsAsync(asked)
  // In turn after the request that was held up.
  await (await one.user('robot')).request(MoveConsumer, { consumer: 'other', after: 0 })
  const { consumers } = await later.request(QueryConsumers, {})
  t.like(
    consumers.find(({ consumer }) => consumer === 'main'),
    { active: true },
  )
  await later.acknowledgeEvent('main', a?.id ?? 0)
})

test('a request whose session ends in the next turn takes no consumer from a later session', async (t) => {
  let isEnding = false
  const door = definePlugin({
    name: 'door',
    setup(app) {
      // As a server does that was paused: it reads the request, and then the end of the connection.
      app.before(Consume, (session) => void (isEnding && setImmediate(() => session.close('logged_out'))))
    },
  })
  const [one, two] = await startNodes(t, 2, { plugins: [door] })
  if (one === undefined || two === undefined) return t.fail()
  const alice = await one.user('alice')
  const early = await one.user('robot')
  const later = await two.user('robot')
  await alice.send('robot', 'a')
  await take(later, 1)
  isEnding = true
  await t.throwsAsync(early.request(Consume, { consumer: 'main', all: false, maxAge: 0 }))
  // In turn after the request of the session that has ended.
  await (await one.user('robot')).request(MoveConsumer, { consumer: 'other', after: 0 })
  const { consumers } = await later.request(QueryConsumers, {})
  t.like(
    consumers.find(({ consumer }) => consumer === 'main'),
    { active: true },
  )
})

test('a consumer that is deleted on one node is gone on all', async (t) => {
  const { alice, here, there } = await robotAtTwoNodes(t)
  await alice.send('robot', 'a')
  const [a] = await take(here, 1)
  const taken = nextPush(here, ConsumerTaken)
  await there.request(DeleteConsumer, { consumer: 'main' })
  await taken
  await t.throwsAsync(here.acknowledgeEvent('main', a?.id ?? 0), { message: /no consumer/ })
})

/** A consumer of one user, as it is stored. */
const row = (position: number, epoch: number) => ({
  user_id: 1,
  name: 'main',
  position,
  pending: [],
  moved_at: 0,
  epoch,
})

test('of two writers only the one that took the consumer last stores anything', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const lost: string[] = []
  const old = new ConsumerWriter(db, (_userId, name) => lost.push(name))
  const young = new ConsumerWriter(db, () => t.fail())
  await insertConsumer(db, row(1, 0), 1)
  await young.take(1, 'main', (taken) => t.is(taken?.epoch, 1))
  const state = { key: 'k', state: 'x', state_keys: 1, state_bytes: 1 }
  await t.throwsAsync(old.save(row(5, 0), state), { instanceOf: ConsumerLost })
  t.deepEqual(lost, ['main'])
  await young.save(row(3, 1))
  t.like(await findConsumer(db, 1, 'main'), { position: 3, state_keys: 0 })
  t.is(await old.state(1, 'main', 'k'), '')
  await Promise.all([old.close(), young.close()])
})

test('what is saved while a consumer is taken again is stored', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = new ConsumerWriter(db, () => t.fail())
  await insertConsumer(db, row(1, 0), 1)
  const taking = writer.take(1, 'main', () => {})
  const saved = writer.save(row(2, 0))
  await Promise.all([taking, saved])
  t.like(await findConsumer(db, 1, 'main'), { position: 2, epoch: 1 })
  await writer.close()
})
