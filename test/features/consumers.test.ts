import test from 'ava'
import {
  type ChatMessage,
  type Client,
  ConsumerTaken,
  CreateRoom,
  JoinRoom,
  MessageRecalled,
  OnNewMessage,
} from '../../client/index.ts'
import { encode } from '../../core/index.ts'
import { ConsumerWriter, findConsumer, insertConsumer, lastIdBefore, migrate, openInMemory } from '../../db/index.ts'
import {
  Consume,
  DeleteConsumer,
  LeaveRoom,
  MoveConsumer,
  Once,
  QueryConsumers,
  QueryState,
} from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { nextPush, refusal, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** The next events of a consumer, unacknowledged. */
async function next(client: Client, consumer: string, count: number, options = {}): Promise<ChatMessage[]> {
  const events: ChatMessage[] = []
  if (count === 0) return events
  for await (const event of client.events(consumer, options)) {
    events.push(event)
    if (events.length === count) break
  }
  return events
}

/** The position of a consumer, and the number of unacknowledged events below it. */
async function place(client: Client, consumer: string) {
  const { consumers } = await client.request(QueryConsumers, {})
  return consumers.find((one) => one.consumer === consumer)
}

test('a new consumer starts with the next event, and continues after its acknowledged position, also after a restart', async (t) => {
  const data = await tempFolder(t)
  const first = await startLocalServer(t, { data })
  const alice = await first.user('alice')
  let robot = await first.user('robot')
  await alice.send('robot', 'before its time')
  const reading = next(robot, 'main', 2)
  // Created before any message is sent.
  while ((await place(robot, 'main')) === undefined);
  await alice.send('robot', 'one')
  await alice.send('robot', 'two')
  const [one] = await reading
  t.is(one?.text, 'one')
  await robot.acknowledgeEvent('main', one?.id ?? 0)
  await robot.close()
  await alice.send('robot', 'three, while it is away')
  robot = await first.user('robot')
  t.deepEqual(texts(await next(robot, 'main', 2)), ['two', 'three, while it is away'])
  await first.close()
  const second = await startLocalServer(t, { data })
  robot = await second.user('robot')
  t.deepEqual(texts(await next(robot, 'main', 2)), ['two', 'three, while it is away'])
  t.deepEqual(texts((await robot.inbox()).messages).length, 4, 'all messages are still unread')
})

test('events are acknowledged one by one, and exactly the unacknowledged ones are redelivered', async (t) => {
  const data = await tempFolder(t)
  const first = await startLocalServer(t, { data })
  const alice = await first.user('alice')
  let robot = await first.user('robot')
  for (let index = 0; index < 10; index++) await alice.send('robot', String(index))
  const events = await next(robot, 'main', 10, { all: true })
  for (const index of [7, 0, 3, 4]) await robot.acknowledgeEvent('main', events[index]?.id ?? 0)
  t.like(await place(robot, 'main'), { position: events[7]?.id, pending: 4, active: true })
  await first.close()
  const second = await startLocalServer(t, { data })
  robot = await second.user('robot')
  t.deepEqual(texts(await next(robot, 'main', 6)), ['1', '2', '5', '6', '8', '9'])
})

test('two consumers of one user are independent of each other and of read positions', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  const other = await server.user('robot')
  await alice.send('robot', 'hi')
  const [event] = await next(robot, 'log', 1, { all: true })
  if (event === undefined) return t.fail()
  await robot.acknowledgeEvent('log', event.id)
  await other.acknowledge(event)
  t.deepEqual(texts(await next(other, 'answers', 1, { all: true })), ['hi'])
})

test('a consumer receives messages of others in groups since the user’s entry, and not the user’s own', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  await alice.request(CreateRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'before it came')
  await robot.request(JoinRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'welcome')
  await robot.send({ group: 'ops' }, 'my own words')
  await alice.send('robot', 'and in private')
  const events = await next(robot, 'main', 2, { all: true })
  t.deepEqual(texts(events), ['welcome', 'and in private'])
  await robot.acknowledgeEvent('main', events[1]?.id ?? 0)
  // Messages of a group left by the user are no events any more, and do not block others.
  await robot.request(LeaveRoom, { group: 'ops' })
  await alice.send('robot', 'still there?')
  const again = await server.user('robot')
  t.deepEqual(texts(await next(again, 'main', 1)), ['still there?'])
  t.like(await place(again, 'main'), { pending: 0 })
})

test('a new holder takes a consumer over; the previous one is notified, and may still acknowledge', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const [old, young] = [await server.user('robot'), await server.user('robot')]
  await alice.send('robot', 'one')
  await alice.send('robot', 'two')
  const events = await next(old, 'main', 2, { all: true })
  const taken = nextPush(old, ConsumerTaken)
  t.deepEqual(texts(await next(young, 'main', 2)), ['one', 'two'])
  t.deepEqual(await taken, { consumer: 'main' })
  await old.acknowledgeEvent('main', events[0]?.id ?? 0)
  t.like(await place(young, 'main'), { position: events[0]?.id, pending: 0 })
})

test('events beyond the window wait until there is room', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 3 } })
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  for (let index = 0; index < 20; index++) await alice.send('robot', String(index))
  const read: string[] = []
  let held: ChatMessage | undefined
  for await (const event of robot.events('main', { all: true })) {
    read.push(event.text)
    // A slow event does not block the others.
    if (held === undefined) held = event
    else await robot.acknowledgeEvent('main', event.id)
    if (read.length === 20) break
  }
  t.deepEqual(
    read,
    Array.from({ length: 20 }, (_, index) => String(index)),
  )
  t.like(await place(robot, 'main'), { pending: 1 })
})

test('a consumer is moved by id and by time, and skips events older than maxAge', async (t) => {
  const clock = new TestClock()
  const server = await startLocalServer(t, { clock })
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  const sent = []
  for (const text of ['one', 'two', 'three']) {
    const { id, sentAt } = await alice.send('robot', text)
    sent.push({ id, time: sentAt.getTime() })
    clock.jump(10_001)
  }
  const events = await next(robot, 'main', 3, { all: true })
  for (const { id } of events) await robot.acknowledgeEvent('main', id)
  const taken = nextPush(robot, ConsumerTaken)
  await robot.request(MoveConsumer, { consumer: 'main', after: sent[0]?.id ?? 0 })
  await taken
  const second = await server.user('robot')
  t.deepEqual(texts(await next(second, 'main', 2)), ['two', 'three'])
  await second.request(MoveConsumer, { consumer: 'new', after: 0, since: sent[2]?.time ?? 0 })
  t.deepEqual(texts(await next(await server.user('robot'), 'new', 1)), ['three'])
  await second.request(MoveConsumer, { consumer: 'main', after: 0 })
  const late = await server.user('robot')
  const reading = next(late, 'main', 1, { maxAge: 10_000 })
  while (!(await place(late, 'main'))?.active);
  await alice.send('robot', 'fresh')
  t.deepEqual(texts(await reading), ['fresh'])
})

test('lastIdBefore finds a time among ids that have gaps and do not start at 1', async (t) => {
  const db = openInMemory()
  t.teardown(() => db.destroy())
  await migrate(db)
  const rest = { user_id: 1, target_id: 2, msg_type: 1, msg: 'hi', font: '', font_size: 0, color: '', lane: 1 }
  for (const [id, send_time] of [
    [1000, 10],
    [1003, 20],
    [1004, 20],
    [1900, 30],
  ] as const)
    await db('chatmsg').insert({ ...rest, id, send_time, isRead: 1, isActive: 1, client_id: String(id) })
  const newestBefore = async (time: number) =>
    (
      await db('chatmsg')
        .where('id', '<=', await lastIdBefore(db, time))
        .max({ id: 'id' })
    )[0]?.id
  t.deepEqual(await Promise.all([10, 11, 20, 21, 31].map(newestBefore)), [null, 1000, 1000, 1004, 1900])
})

test('state is stored with the acknowledgement and deleted with the consumer', async (t) => {
  const data = await tempFolder(t)
  const first = await startLocalServer(t, { data })
  const alice = await first.user('alice')
  let robot = await first.user('robot')
  await alice.send('robot', 'hi')
  const [event] = await next(robot, 'main', 1, { all: true })
  t.is(await robot.consumerState('main', 'alice'), '')
  await robot.acknowledgeEvent('main', event?.id ?? 0, { key: 'alice', state: '{"greeted":"你好 😀"}' })
  t.is(await robot.consumerState('main', 'alice'), '{"greeted":"你好 😀"}')
  await robot.acknowledgeEvent('main', 0, { key: 'ops', state: 'without an event' })
  await first.close()
  const second = await startLocalServer(t, { data })
  robot = await second.user('robot')
  t.is(await robot.consumerState('main', 'alice'), '{"greeted":"你好 😀"}')
  t.is(await robot.consumerState('main', 'ops'), 'without an event')
  await robot.acknowledgeEvent('main', 0, { key: 'ops', state: '' })
  t.is(await robot.consumerState('main', 'ops'), '')
  await robot.request(DeleteConsumer, { consumer: 'main' })
  t.is(await refusal(t, robot.consumerState('main', 'alice')), 'no_consumer')
  t.deepEqual((await robot.request(QueryConsumers, {})).consumers, [])
})

test('a consumer stores at most the limit of keys, and may still change those it has', async (t) => {
  const server = await startLocalServer(t, { limits: { consumerKeys: 2 } })
  const robot = await server.user('robot')
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  const keep = (key: string, state: string) => robot.acknowledgeEvent('main', 0, { key, state })
  await keep('a', '1')
  await keep('b', '1')
  t.is(await refusal(t, keep('c', '1')), 'too_many')
  await keep('a', '2')
  await keep('b', '')
  await keep('c', '1')
  t.is(await robot.consumerState('main', 'a'), '2')
})

test('the state of a consumer is limited in bytes, and smaller values make room', async (t) => {
  const server = await startLocalServer(t, { limits: { consumerBytes: 100 } })
  const robot = await server.user('robot')
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  const keep = (key: string, state: string) => robot.acknowledgeEvent('main', 0, { key, state })
  // Three bytes each.
  await keep('a', '鹰'.repeat(30))
  t.is(await refusal(t, keep('b', 'x'.repeat(11))), 'too_many')
  t.is(await refusal(t, keep('a', '鹰'.repeat(34))), 'too_many')
  t.is(await robot.consumerState('main', 'a'), '鹰'.repeat(30))
  await keep('b', 'x'.repeat(10))
  await keep('a', '')
  await keep('c', 'x'.repeat(90))
  t.is(await refusal(t, keep('d', 'x')), 'too_many')
})

test('the number of consumers of a user is limited, and a user sees only their own', async (t) => {
  const server = await startLocalServer(t, { limits: { consumers: 2 } })
  const robot = await server.user('robot')
  await robot.request(MoveConsumer, { consumer: 'a', after: 0 })
  await robot.request(MoveConsumer, { consumer: 'b', after: 0 })
  t.is(await refusal(t, robot.request(MoveConsumer, { consumer: 'c', after: 0 })), 'too_many')
  const mallory = await server.user('mallory')
  t.is(await refusal(t, mallory.acknowledgeEvent('a', 1)), 'no_consumer')
  t.is(await refusal(t, mallory.request(DeleteConsumer, { consumer: 'a' })), 'no_consumer')
})

test('concurrent requests create no more consumers and keys than the limits, also in envelopes', async (t) => {
  const server = await startLocalServer(t, { limits: { consumers: 3, consumerKeys: 4 } })
  const robot = await server.user('robot')
  const make = (n: number) =>
    robot.request(Once, {
      key: `k${n}`,
      request: encode(MoveConsumer, 0, { consumer: `c${n}`, after: 0 }),
    })
  const made = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => make(n)))
  t.is(made.filter(({ status }) => status === 'fulfilled').length, 3)
  const { consumers } = await robot.request(QueryConsumers, {})
  t.is(consumers.length, 3)
  const name = consumers[0]?.consumer ?? ''
  const keep = (n: number) => robot.acknowledgeEvent(name, 0, { key: `key ${n}`, state: '1' })
  const kept = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => keep(n)))
  t.is(kept.filter(({ status }) => status === 'fulfilled').length, 4)
})

test('an event handled before a restart of the server can be acknowledged after it', async (t) => {
  const data = await tempFolder(t)
  const first = await startLocalServer(t, { data })
  const alice = await first.user('alice')
  let robot = await first.user('robot')
  for (const text of ['one', 'two', 'three']) await alice.send('robot', text)
  const events = await next(robot, 'main', 3, { all: true })
  await first.close()
  const second = await startLocalServer(t, { data })
  robot = await second.user('robot')
  // Before the server has pushed them again, and out of order.
  await robot.acknowledgeEvent('main', events[2]?.id ?? 0)
  t.like(await place(robot, 'main'), { position: 0 })
  t.deepEqual(texts(await next(robot, 'main', 3)), ['one', 'two', 'three'])
  for (let at = await place(robot, 'main'); at?.position !== events[2]?.id; at = await place(robot, 'main'));
  t.like(await place(robot, 'main'), { pending: 2 })
})

test('many states that arrive at once are stored and delay nobody', async (t) => {
  const server = await startLocalServer(t, { limits: { requestBurst: 1000 } })
  const robot = await server.user('robot')
  const others = [await server.user('robot'), await server.user('robot')]
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`)
  await Promise.all(
    [robot, ...others].flatMap((client, number) =>
      keys.map((key) => client.acknowledgeEvent('main', 0, { key: `${number} ${key}`, state: 'kept' })),
    ),
  )
  t.is(await robot.consumerState('main', '2 key 49'), 'kept')
  await robot.close()
  t.true((await others[0]?.request(MoveConsumer, { consumer: 'other', after: 0 }))?.isNew)
})

test('messages recalled before they are handled free their place in the window', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 3 } })
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  const events = robot.events('main', { all: true })
  const first = events.next()
  await alice.send('robot', 'first')
  t.is((await first).value?.text, 'first')
  for (const text of ['oops', 'no', 'wrong']) {
    const recalled = nextPush(robot, MessageRecalled)
    await alice.recall((await alice.send('robot', text)).id)
    await recalled
  }
  await alice.send('robot', 'last')
  const last = (await events.next()).value
  t.is(last?.text, 'last')
  await robot.acknowledgeEvent('main', last?.id ?? 0)
  t.like(await place(robot, 'main'), { pending: 1 }, 'of the earlier messages only the first remains')
})

test('a consumer requested while it is deleted is created anew', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  const { id } = await alice.send('robot', 'one')
  const pushed = nextPush(robot, OnNewMessage)
  await robot.request(Consume, { consumer: 'main', all: true })
  await pushed
  await robot.acknowledgeEvent('main', id)
  const pushedAgain = nextPush(robot, OnNewMessage)
  const [, anew] = await Promise.all([
    robot.request(DeleteConsumer, { consumer: 'main' }),
    robot.request(Consume, { consumer: 'main', all: true }),
  ])
  t.deepEqual(anew, { position: 0, pending: 0, isNew: true })
  t.like(await place(robot, 'main'), { position: 0, active: true })
  // An acknowledgement that overtakes its push is stored only after the push.
  await pushedAgain
  await robot.acknowledgeEvent('main', id)
  t.like(await place(robot, 'main'), { position: id })
})

test('a late acknowledgement does not restore a deleted consumer', async (t) => {
  const server = await startLocalServer(t)
  const robot = await server.user('robot')
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  const [, late] = await Promise.allSettled([
    robot.request(DeleteConsumer, { consumer: 'main' }),
    robot.acknowledgeEvent('main', 0, { key: 'key', state: 'late' }),
  ])
  t.is(late?.status, 'rejected')
  t.is(await place(robot, 'main'), undefined)
})

test('settled() waits for earlier writes only, however many follow', async (t) => {
  const db = openInMemory()
  t.teardown(() => db.destroy())
  await migrate(db)
  const writer = new ConsumerWriter(db, () => t.fail())
  const row = (position: number) => ({ user_id: 1, name: 'main', position, pending: [], moved_at: 0, epoch: 0 })
  await insertConsumer(db, row(0), 1)
  const saves = [writer.save(row(1))]
  let isSettled = false
  const settled = writer.settled().then(() => {
    isSettled = true
  })
  for (let position = 2; !isSettled; position++) {
    saves.push(writer.save(row(position)))
    await saves.at(-2)
  }
  await settled
  await Promise.all(saves)
  t.is((await findConsumer(db, 1, 'main'))?.position, saves.length)
  await writer.close()
})

test('after a failed write, each caller that waits for it is told whether the next one succeeds', async (t) => {
  const db = openInMemory()
  t.teardown(() => db.destroy())
  await migrate(db)
  const writer = new ConsumerWriter(db, () => t.fail())
  const row = { user_id: 1, name: 'main', position: 5, pending: [], moved_at: 0, epoch: 0 }
  await insertConsumer(db, { ...row, position: 0 }, 1)
  await db.schema.renameTable('consumer', 'elsewhere')
  const saved = writer.save(row)
  writer.flush()
  const waiting = [writer.settled(), writer.settled(), writer.settled()]
  const outcomes = await Promise.allSettled([saved, ...waiting])
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected', 'rejected'],
  )
  await db.schema.renameTable('elsewhere', 'consumer')
  await Promise.all([writer.settled(), writer.settled()])
  t.is((await findConsumer(db, 1, 'main'))?.position, 5)
  await writer.close()
})

test('an acknowledged event that comes again is acknowledged again, and keeps no place in the window', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 1 } })
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  const consume = { consumer: 'main', all: true, maxAge: 0 }
  const reading = robot.events('main', { all: true })
  await alice.send('robot', 'a')
  const { value: a } = await reading.next()
  await robot.acknowledgeEvent('main', a?.id ?? 0)
  // As if that had been lost with a server.
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  await robot.request(Consume, consume)
  await alice.send('robot', 'b')
  t.is((await reading.next()).value?.text, 'b')
})

test('events left unacknowledged by a loop are delivered again in the next one', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const robot = await server.user('robot')
  for (const text of ['one', 'two', 'three']) await alice.send('robot', text)
  const [, two] = await next(robot, 'main', 3, { all: true })
  await robot.acknowledgeEvent('main', two?.id ?? 0)
  t.deepEqual(texts(await next(robot, 'main', 2)), ['one', 'three'])
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  t.deepEqual(texts(await next(robot, 'main', 3)), ['one', 'two', 'three'])
})

test('a consumer that a request loads while its user is offline is evicted', async (t) => {
  await using server = await testServer()
  await server.account('robot', 'bot')
  const { id } = await server.db('userinfo').where({ username: 'robot' }).first('id')
  const robot = server.app.onBehalfOf({ id, name: 'robot', nickname: 'robot', role: 'bot' })
  await robot.request(MoveConsumer, { consumer: 'main', after: 0 })
  const statementsOfRequest = async () => {
    let statements = 0
    const count = () => {
      statements++
    }
    server.db.on('query', count)
    await robot.request(QueryState, { consumer: 'main', key: 'k' })
    server.db.off('query', count)
    return statements
  }
  const whileLoaded = await statementsOfRequest()
  await server.clock.advance(60_000)
  t.is(await statementsOfRequest(), whileLoaded + 1)
  t.is(await statementsOfRequest(), whileLoaded)
})
