import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import type { Client } from '../../client/index.ts'
import { RunQueue } from '../../core/flow/run-queue.ts'
import { clientMessage, definePlugin, encode, line, Ping, Refused, SYSTEM_CLOCK } from '../../core/index.ts'
import { RequestQueue } from '../../core/plugin/request-queue.ts'
import { MSG_TYPE, openInMemory, TurnBudget } from '../../db/index.ts'
import { GROUP_LANE } from '../../db/messages.ts'
import { Consume } from '../../plugins/consumers/messages.ts'
import { QueryContacts } from '../../plugins/contacts/messages.ts'
import { QueryFriendRequests } from '../../plugins/friends/messages.ts'
import { AcknowledgeRoom, CreateRoom, JoinRoom, QueryRooms } from '../../plugins/groups/messages.ts'
import { Once } from '../../plugins/idempotency/messages.ts'
import { Acknowledge, QueryHistory, QueryInbox, SearchMessages } from '../../plugins/messages/messages.ts'
import { testServer } from '../../testing/index.ts'
import { seedMessages } from '../support/databases/messages.ts'
import { hears, texts } from '../support/requests.ts'

/** Whether `work` had finished when `other` was answered. */
async function isOverBefore(work: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  let isOver = false
  work.then(
    () => {
      isOver = true
    },
    () => {},
  )
  await other
  return isOver
}

test('a search through texts of combining marks does not block other requests', async (t) => {
  await using server = await testServer()
  const [mallory, bob] = [await server.user('mallory'), await server.user('bob')]
  const marks = `a${'\u0301\u0323'.repeat(4095)}`
  await Promise.all(Array.from({ length: 200 }, () => mallory.says('mallory', marks)))
  const searching = mallory.client.request(SearchMessages, { text: 'q' })
  t.false(await isOverBefore(searching, bob.client.request(Ping, {})))
  t.deepEqual((await searching).messages, [])
})

test('a search matches texts with many combining marks and both encodings of an accent', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  await alice.says('alice', 'un cafe\u0301 noir')
  await alice.says('alice', `loud${'\u0301'.repeat(40)} words`)
  const found = async (text: string) =>
    (await alice.client.request(SearchMessages, { text })).messages.map(({ text }) => text.slice(0, 4))
  t.deepEqual(await found('CAFÉ'), ['un c'])
  t.deepEqual(await found(' words'), ['loud'])
  t.deepEqual(await found(`loud${'\u0301'.repeat(40)}`), ['loud'])
})

test('a search costs rate tokens for the rows it examines', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 20, requestPause: 1 } })
  const alice = await server.user('alice')
  for (let n = 0; n < 10; n++) {
    await alice.says('alice', 'x'.repeat(16_000))
    await server.clock.advance(60_000)
  }
  // 160,000 bytes are less than one request more, ten searches of them are ten and six.
  const outcomes: string[] = []
  for (let n = 0; n < 16; n++)
    outcomes.push(
      await alice.client.request(SearchMessages, { text: 'q' }).then(
        () => 'ok',
        ({ failure }) => failure,
      ),
    )
  t.is(outcomes[0], 'ok')
  t.is(outcomes.at(-1), 'rate_limited')
})

test('a request takes one token of the user’s rate, and one more for each 4 KiB', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 6, requestPause: 1 } })
  const alice = await server.user('alice')
  const long = 'x'.repeat(16_000)
  await server.clock.advance(60_000)
  await alice.client.send('alice', long)
  const error = await t.throwsAsync(alice.client.send('alice', long), { name: 'RefusedByServer' })
  t.like(error, { failure: 'rate_limited', retryAfter: 2000 })
  await alice.client.send('alice', 'short')
  await alice.client.send('alice', 'short')
  t.is(await alice.refused(alice.client.send('alice', 'short')), 'rate_limited')
})

test('a request that costs more than the burst takes all of it', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 2, requestPause: 1 } })
  const alice = await server.user('alice')
  const long = 'x'.repeat(16_000)
  await server.clock.advance(60_000)
  await alice.client.send('alice', long)
  await server.clock.advance(1000)
  t.is(await alice.refused(alice.client.send('alice', long)), 'rate_limited')
  await server.clock.advance(1000)
  await alice.client.send('alice', long)
})

test('a ping of 4 KiB is limited like a request', async (t) => {
  const LongPing = clientMessage({
    type: Ping.type,
    name: Ping.name,
    about: 'A ping with values that the server skips.',
    allow: 'any',
    fields: { padding: line('', { max: 8192 }) },
    reply: Ping.reply,
  })
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 2, requestPause: 1 } })
  const alice = await server.user('alice')
  await server.clock.advance(60_000)
  await alice.client.request(LongPing, { padding: 'x'.repeat(4096) })
  t.is(await alice.refused(alice.client.request(LongPing, { padding: 'x'.repeat(4096) })), 'rate_limited')
  await alice.client.request(LongPing, { padding: 'x'.repeat(4000) })
})

test('on SQLite a burst of one user leaves turns of the event loop to others', async (t) => {
  await using server = await testServer()
  const [mallory, bob] = [await server.user('mallory'), await server.user('bob')]
  const burst = Array.from({ length: 190 }, () => mallory.client.request(QueryFriendRequests, {}))
  let answered = 0
  for (const request of burst) void request.then(() => answered++)
  await bob.client.request(QueryInbox, { after: 0, limit: 1, all: true })
  t.true(answered < burst.length, `all ${answered} were answered first`)
  await Promise.all(burst)
})

test('a chain of SQLite statements is split over turns of the event loop', async (t) => {
  const db = openInMemory()
  t.teardown(() => db.destroy())
  let turns = 0
  const count = () => {
    turns++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  // Bounds the chain in case it is not split over turns: nothing else ends it.
  for (let statements = 0; turns < 3 && statements < 100_000; statements++) await db.raw('select 1')
  clearImmediate(counting)
  t.true(turns >= 3)
})

test('concurrent requests of a user are limited, also in envelopes, without delaying others', async (t) => {
  const Wait = clientMessage({ type: 1900, name: 'wait', about: 'Waits.', allow: 'user', fields: {} })
  let running = 0
  let most = 0
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const gate = definePlugin({
    name: 'gate',
    messages: { Wait },
    setup(app) {
      app.handle(Wait, async () => {
        most = Math.max(most, ++running)
        await opened
        running--
      })
    },
  })
  await using server = await testServer({ plugins: [gate], limits: { requestsAtOnce: 3 } })
  const [mallory, bob] = [await server.user('mallory'), await server.user('bob')]
  const again = await server.user('mallory')
  const waiting = [mallory, again].flatMap(({ client }) => [
    ...Array.from({ length: 5 }, () => client.request(Wait, {})),
    ...Array.from({ length: 5 }, (_, n) =>
      client.request(Once, { key: `${client === again.client} ${n}`, request: encode(Wait, 0, {}) }),
    ),
  ])
  t.like(await bob.client.request(QueryHistory, { with: 'bob' }), { messages: [] })
  t.is(running, 3)
  open()
  await Promise.all(waiting)
  t.is(most, 3)
})

test('a queued request is dropped with its connection, and the user’s next one runs', async (t) => {
  const Wait = clientMessage({ type: 1900, name: 'wait', about: 'Waits.', allow: 'user', fields: {} })
  const gates: (() => void)[] = []
  const gate = definePlugin({
    name: 'gate',
    messages: { Wait },
    setup: (app) => app.handle(Wait, () => new Promise<void>((resolve) => gates.push(resolve))),
  })
  await using server = await testServer({ plugins: [gate], limits: { requestsAtOnce: 1 } })
  const line = server.stream()
  const second = await server.connect({ server: line, reconnect: false })
  await second.register('alice', 'correct horse')
  await second.login('alice', { password: 'correct horse' })
  const [first, third] = [await server.connect(), await server.connect()]
  for (const client of [first, third]) await client.login('alice', { password: 'correct horse' })
  const running = first.request(Wait, {})
  await server.settled()
  const dropped = t.throwsAsync(second.request(Wait, {}))
  await server.settled()
  const later = third.request(Wait, {})
  await server.settled()
  t.is(gates.length, 1)
  line.destroy()
  await dropped
  gates[0]?.()
  await running
  await server.settled()
  t.is(gates.length, 2)
  gates[1]?.()
  await later
})

test('a queued request that cannot be refused ends only its connection and frees its slot', async (t) => {
  const Wait = clientMessage({ type: 1900, name: 'wait', about: 'Waits.', allow: 'user', fields: {} })
  const Break = clientMessage({ type: 1901, name: 'break', about: 'Breaks.', allow: 'user', fields: {} })
  const gates: (() => void)[] = []
  const plugin = definePlugin({
    name: 'gate',
    messages: { Wait, Break },
    setup(app) {
      app.handle(Wait, () => new Promise<void>((resolve) => gates.push(resolve)))
      app.handle(Break, () => {
        throw new Refused('internal', 'not a time', { retryAfter: Number.NaN })
      })
    },
  })
  await using server = await testServer({ plugins: [plugin], limits: { requestsAtOnce: 1 } })
  const [first, second, third] = [await server.user('alice'), await server.user('alice'), await server.user('alice')]
  const running = first.client.request(Wait, {})
  await server.settled()
  const broken = t.throwsAsync(second.client.request(Break, {}))
  await server.settled()
  const later = third.client.request(Wait, {})
  await server.settled()
  gates[0]?.()
  await Promise.all([running, broken])
  await server.settled()
  t.is(gates.length, 2)
  gates[1]?.()
  await later
})

test('users take turns when one has many queued requests', async (t) => {
  const queue = new RequestQueue(2, { room: () => 100, onProgress() {} })
  const started: string[] = []
  const ask = (user: string, name: string) => {
    if (queue.tryStart(user)) started.push(name)
    else queue.enqueue(user, () => started.push(name))
  }
  for (let n = 1; n <= 5; n++) ask('mallory', `m${n}`)
  ask('bob', 'b1')
  t.deepEqual(started, ['m1', 'm2', 'b1'])
  queue.ended('mallory')
  await nextTurn()
  t.deepEqual(started, ['m1', 'm2', 'b1', 'm3'])
  queue.ended('mallory')
  queue.ended('mallory')
  await nextTurn()
  t.deepEqual(started.slice(4), ['m4', 'm5'])
})

test('queued requests continue one by one while the database is busy, each user in turn', async (t) => {
  let room = 0
  let progress = () => {}
  const queue = new RequestQueue(10, {
    room: () => room,
    onProgress(callback) {
      progress = callback
    },
  })
  const started: string[] = []
  t.true(queue.tryStart('x'))
  t.true(queue.tryStart('y'))
  for (const name of ['m1', 'm2', 'm3', 'b1', 'c1']) {
    const user = name[0] as string
    t.false(queue.tryStart(user))
    queue.enqueue(user, () => started.push(name))
  }
  await nextTurn()
  t.deepEqual(started, [])
  room = 1
  for (const expected of ['m1', 'b1', 'c1', 'm2', 'm3']) {
    progress()
    await nextTurn()
    t.is(started.at(-1), expected)
    // A request just started counts until its statements have reached the database.
    await nextTurn()
  }
  t.deepEqual(started, ['m1', 'b1', 'c1', 'm2', 'm3'])
})

test('a newcomer does not take the room in the database that others wait for', async (t) => {
  let room = 0
  let progress = () => {}
  const queue = new RequestQueue(2, {
    room: () => room,
    onProgress(callback) {
      progress = callback
    },
  })
  const started: string[] = []
  const asks = (user: string) => {
    if (queue.tryStart(user)) started.push(user)
    else queue.enqueue(user, () => started.push(user))
  }
  for (const user of ['x', 'y', 'bob', 'bob', 'carol']) asks(user)
  t.deepEqual(started, ['x', 'y'])
  await nextTurn()
  room = 1
  asks('newcomer')
  t.deepEqual(started, ['x', 'y'])
  for (const expected of ['bob', 'carol', 'newcomer', 'bob']) {
    progress()
    await nextTurn()
    t.is(started.at(-1), expected)
    await nextTurn()
  }
  t.is(started.length, 6)
  // Nobody waits any more.
  await nextTurn()
  asks('late')
  t.is(started.at(-1), 'late')
})

test('connections share a turn of the event loop, and the remaining work waits for the next one', async (t) => {
  let now = 0
  const queue = new RunQueue({ ...SYSTEM_CLOCK, now: () => now })
  const done: string[] = []
  const connection = (name: string, work: number) => ({
    step(isOver: () => boolean): boolean {
      for (; work > 0 && !isOver(); work--) {
        now++
        done.push(name)
      }
      return work > 0
    },
  })
  queue.run(connection('m', 100))
  queue.run(connection('b', 1))
  t.true(done.every((name) => name === 'm') && done.length < 20)
  await nextTurn()
  t.true(done.includes('b'))
  while (done.length < 101) await nextTurn()
  t.is(done.filter((name) => name === 'm').length, 100)
})

test('work that has used up its turn is resumed in later ones, in order of request', async (t) => {
  const turns = new TurnBudget()
  while (turns.yieldIfSpent() === undefined);
  const resumed: number[] = []
  for (let n = 0; n < 3; n++) void turns.yieldIfSpent()?.then(() => resumed.push(n))
  t.deepEqual(resumed, [])
  while (resumed.length < 3) await nextTurn()
  t.deepEqual(resumed, [0, 1, 2])
})

test('pings beyond the rate are delayed, none is refused', async (t) => {
  await using server = await testServer({ limits: { signalRate: 1, signalBurst: 5 } })
  const alice = await server.user('alice')
  let answered = 0
  const pings = Array.from({ length: 8 }, () => alice.client.request(Ping, {}).then(() => answered++))
  await server.settled()
  t.is(answered, 5)
  await server.clock.advance(2000)
  t.is(answered, 7)
  await server.clock.advance(1000)
  await Promise.all(pings)
})

test('acknowledgements of messages not in memory are rate limited like requests', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 5 } })
  const mallory = await server.user('mallory')
  let answered = 0
  const acknowledge = async (n: number) => {
    await t.throwsAsync(mallory.client.request(Acknowledge, { from: `nobody-${n}`, upTo: 1 }))
    answered++
  }
  // In sequence: each is charged before the next one arrives.
  for (let n = 0; n < 4; n++) await acknowledge(n)
  const more = [acknowledge(4), acknowledge(5), acknowledge(6)]
  await server.settled()
  const before = answered
  await server.clock.advance(10_000)
  await Promise.all(more)
  t.true(before < 7)
  t.is(answered, 7)
})

test('a consumer with many pending events is resumed in few statements', async (t) => {
  await using server = await testServer()
  const [alice, robot] = [await server.user('alice'), await server.user('robot')]
  await robot.client.request(Consume, { consumer: 'main' })
  let last = 0
  for (let n = 0; n < 40; n++) last = (await alice.client.send('robot', String(n))).id
  await server.settled()
  await robot.client.acknowledgeEvent('main', last)
  const statements: string[] = []
  server.db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
  t.is((await robot.client.request(Consume, { consumer: 'main' })).pending, 39)
  await server.settled()
  t.true(statements.length < 20, statements.join('\n'))
})

test('sessions of one user share their rates, also later ones', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 5, requestPause: 1 } })
  const session = async () => {
    const client = await server.connect({ reconnect: false })
    await client.register('mallory', 'correct horse').catch(({ failure }) => t.is(failure, 'username_taken'))
    await client.login('mallory', { password: 'correct horse' })
    return client
  }
  const ask = (client: Awaited<ReturnType<typeof session>>) =>
    client.request(QueryFriendRequests, {}).then(
      () => 'ok',
      ({ failure }) => failure,
    )
  const first = await session()
  // Used all the while, and longer than an unused rate is remembered.
  for (let n = 0; n < 20; n++) {
    t.is(await ask(first), 'ok')
    await server.clock.advance(1000)
  }
  for (let n = 0; n < 6; n++) await ask(first)
  const second = await session()
  t.is(await ask(second), 'rate_limited')
  // The debt of tokens is kept while the user has no session.
  for (const client of [first, second]) await client.close()
  await server.settled()
  t.is(await ask(await session()), 'rate_limited')
})

test('unread messages are counted in statements that each read a bounded number of rows', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const { id: group } = await alice.client.request(CreateRoom, { group: 'ops' })
  await bob.client.request(JoinRoom, { group: 'ops' })
  const ids = async (name: string) => (await server.db('userinfo').where({ username: name }).first('id')).id
  const [from, to] = [await ids('alice'), await ids('bob')]
  const row = { user_id: from, send_time: 1, msg: 'x', isActive: 1, hops: 0 }
  const insert = (own: (n: number) => object) =>
    server.db.batchInsert(
      'chatmsg',
      Array.from({ length: 12_000 }, (_, n) => ({ ...row, ...own(n + 1) })),
      50,
    )
  const [chat, inGroup] = [
    { target_id: to, isRead: 1, msg_type: MSG_TYPE.chat, lane: from },
    { target_id: group, isRead: 0, msg_type: MSG_TYPE.group, lane: GROUP_LANE },
  ]
  await insert((n) => ({ ...chat, client_id: `p${n}` }))
  await insert((seq) => ({ ...inGroup, client_id: `g${seq}`, seq }))
  await server.db('chatroom').where({ id: group }).update({ last_seq: 12_000 })
  await server.db('correspondence').insert({ reader_id: to, writer_id: from })
  const { groups } = await bob.client.request(QueryRooms, {})
  t.is(groups[0]?.unread, 1000)
  t.is(await bob.client.receive(), 2000)
})

test('a count of unread messages costs a token of the rate for each 10,000 that it scans', async (t) => {
  for (const request of [
    (client: Client) => client.request(QueryRooms, {}),
    (client: Client) => client.request(QueryContacts, {}),
    (client: Client) => client.receive(),
  ]) {
    await using server = await testServer({ limits: { requestRate: 1, requestBurst: 4, requestPause: 1 } })
    const alice = await server.user('alice')
    const { id: owner } = await server.db('userinfo').where({ username: 'alice' }).first('id')
    const group = { create_time: 1, isActive: 1, isOpen: true, allHistory: true, last_seq: 1000 }
    const message = { user_id: owner + 1, send_time: 1, isRead: 0, msg: 'x', msg_type: MSG_TYPE.group, isActive: 1 }
    for (let id = 1; id <= 20; id++) {
      await server.db('chatroom').insert({ ...group, id, chatroom_name: `group ${id}` })
      const member = { chatroom_id: id, user_id: owner, create_time: 1, isActive: 1, role: 'member' }
      await server.db('chatroom_user').insert(member)
      const rows = Array.from({ length: 1000 }, (_, n) => ({ ...message, client_id: `${id} ${n}`, seq: n + 1 }))
      await server.db.batchInsert(
        'chatmsg',
        rows.map((row) => ({ ...row, target_id: id, lane: GROUP_LANE, hops: 0 })),
        50,
      )
    }
    await server.clock.advance(60_000)
    await request(alice.client)
    await alice.client.request(QueryFriendRequests, {})
    t.is(await alice.refused(alice.client.request(QueryFriendRequests, {})), 'rate_limited')
  }
})

test('unread messages among 30,000 own ones are listed, pushed and consumed', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const { id: group } = await alice.client.request(CreateRoom, { group: 'ops' })
  await bob.client.request(JoinRoom, { group: 'ops' })
  const accounts: { id: number; username: string }[] = await server.db('userinfo').select('id', 'username')
  const [from, by] = ['alice', 'bob'].map((name) => accounts.find(({ username }) => username === name)?.id ?? 0)
  const count = 30_000
  const row = { target_id: group, msg_type: MSG_TYPE.group, isRead: 0 }
  await seedMessages(
    server.db,
    Array.from({ length: count }, (_, index) => ({
      ...row,
      seq: index + 1,
      user_id: (index === 0 || index === count - 1 ? by : from) as number,
    })),
  )
  await server.db('chatroom').where({ id: group }).update({ last_seq: count })
  await bob.client.send({ group: 'ops' }, 'the end')

  const expected = ['seeded', 'seeded', 'the end']
  const listed: string[] = []
  for (let [after, more] = [0, true]; more; ) {
    const page = await alice.client.inbox({ after })
    listed.push(...texts(page.messages))
    after = page.messages.at(-1)?.id ?? after
    more = page.more
  }
  t.deepEqual(listed, expected)
  t.deepEqual(texts(await hears(alice.client, 3, { acknowledge: false })), expected)
  const consumed: string[] = []
  for await (const { text } of alice.client.events('main', { all: true })) {
    consumed.push(text)
    if (consumed.length === 3) break
  }
  t.deepEqual(consumed, expected)
})

test('an acknowledgement of a group up to any id covers the messages up to there', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.client.request(CreateRoom, { group: 'ops' })
  await bob.client.request(JoinRoom, { group: 'ops' })
  const ids: number[] = []
  for (let n = 0; n < 5; n++) {
    ids.push((await bob.client.send({ group: 'ops' }, String(n))).id)
    // Ids of other conversations lie between those of the group.
    await bob.client.send('alice', 'between')
  }
  const unread = async () => (await alice.client.request(QueryRooms, {})).groups[0]?.unread
  for (const [upTo, left] of [
    [ids[0] as number, 4],
    [(ids[1] as number) + 1, 3],
    [ids[2] as number, 2],
    [(ids[2] as number) + 1, 2],
    [(ids[4] as number) + 1000, 0],
  ] as const) {
    await alice.client.request(AcknowledgeRoom, { group: 'ops', upTo })
    t.is(await unread(), left, `up to ${upTo}`)
  }
})
