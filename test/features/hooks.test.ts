import type { ServerResponse } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import {
  AddHook,
  ChangeHook,
  QueryFailedEvents,
  QueryHooks,
  Redeliver,
  RotateHook,
  SetUserActive,
} from '../../client/index.ts'
import { HookAttempted } from '../../plugins/hooks/events.ts'
import { type TestServer, testServer } from '../../testing/index.ts'
import { type Receiver, startReceiver, status, verify } from '../support/http/receiver.ts'
import { refusal } from '../support/requests.ts'

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]
const PAUSES = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR]

/** Clients that are silent for days stay connected. */
const PATIENT = { ping: 1e12, dead: 1e12 }

interface AddOptions {
  readonly kinds?: string
  readonly reply?: boolean
  readonly to?: readonly { readonly user: string; readonly group: string }[]
  readonly path?: string
}

async function openStage(t: ExecutionContext, limits: Record<string, number> = {}) {
  const receiver = await startReceiver(t)
  const pluginOptions = { hooks: { networks: ['127.0.0.1'], ports: [receiver.port] } }
  const server = await testServer({ pluginOptions, limits: { ...PATIENT, ...limits } })
  t.teardown(() => server.dispose())
  const [ann, bob, carol] = [await server.user('ann'), await server.user('bob'), await server.user('carol')]
  const operator = await server.operator()
  return {
    server,
    receiver,
    ann,
    bob,
    carol,
    operator,
    add: (user: string, { kinds = '', reply = false, to = [], path = '' }: AddOptions = {}) =>
      operator.request(AddHook, { user, url: receiver.url + path, kinds, reply, to: [...to] }),
    hook: async () => (await operator.request(QueryHooks, {})).hooks[0],
    /** Acts, and waits for the next attempt to end. */
    attempted: async (act: () => Promise<unknown>) => {
      const next = server.next(HookAttempted)
      await act()
      await next
      await idle(server)
    },
    /** Waits until no request is under way and its outcome is stored. */
    idle: () => idle(server),
    /** Moves the clock at once: days pass, in which the timers of the server would be called a hundred thousand times. */
    advance: async (ms: number) => {
      server.clock.jump(ms)
      await idle(server)
    },
  }
}

async function idle(server: TestServer) {
  for (;;) {
    await server.settled()
    const families = await server.app.metrics.collect()
    const running = families.find(({ name }) => name === 'chatctl_hook_requests_running')?.samples[0]?.value
    if (running === 0) return
    await new Promise(setImmediate)
  }
}

test('messages to a user are posted, signed, in order; own ones are not', async (t) => {
  const { server, receiver, ann, bob, carol, add, hook, idle } = await openStage(t)
  await ann.joins('ops')
  await bob.joins('ops')
  await ann.says('bob', 'before')
  const { hook: id, secret } = await add('bob')
  t.regex(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const sent = [await ann.says('bob', 'one'), await carol.says('bob', 'two'), await ann.says({ group: 'ops' }, 'three')]
  await bob.says('ann', 'mine')
  await bob.says({ group: 'ops' }, 'mine')
  await ann.says('carol', 'not for him')
  await receiver.arrived(3)
  await idle()
  t.deepEqual(
    [...receiver.ids()].sort((a, b) => a - b),
    sent.map((message) => message.id),
  )
  const byId = new Map(receiver.received.map((one) => [one.data.id, one]))
  const first = byId.get(sent[0]?.id ?? 0)
  t.is(first?.headers['content-type'], 'application/json')
  t.is(first?.headers['webhook-id'], `msg__${id}_${sent[0]?.id}`)
  t.deepEqual(JSON.parse(first?.body ?? ''), {
    type: 'message.private',
    timestamp: new Date(server.clock.time()).toISOString(),
    data: {
      id: sent[0]?.id,
      from: 'ann',
      to: 'bob',
      group: '',
      text: 'one',
      sentAt: server.clock.time(),
      editedAt: 0,
      replyTo: 0,
      hops: 0,
    },
  })
  t.like(byId.get(sent[2]?.id ?? 0), { type: 'message.group', data: { group: 'ops', from: 'ann' } })
  for (const one of receiver.received) t.like(verify(secret, one, server.clock.time()), { type: one.type })
  t.throws(() => verify(secret, { ...(first as Receiver['received'][number]), body: 'x' }, server.clock.time()), {
    message: /signature/,
  })
  t.like(await hook(), { hook: id, user: 'bob', state: 'ok', pending: 0, dead: 0, reason: '' })
})

test('a hook takes the kinds and conversations that it names', async (t) => {
  const { receiver, ann, bob, carol, add, operator, idle } = await openStage(t)
  await ann.joins('ops')
  await bob.joins('ops')
  await add('bob', {
    to: [
      { user: '', group: 'ops' },
      { user: 'carol', group: '' },
    ],
    path: '/some',
  })
  await add('bob', { kinds: 'private', path: '/private' })
  const skipped = await ann.says('bob', 'private of Ann')
  const [group, private_] = [await ann.says({ group: 'ops' }, 'group'), await carol.says('bob', 'private of Carol')]
  await receiver.arrived(4)
  await idle()
  const { hooks } = await operator.request(QueryHooks, {})
  t.deepEqual(
    hooks.map(({ to, kinds }) => [to, kinds]),
    [
      ['@ops, carol', ''],
      ['', 'private'],
    ],
  )
  const idsOf = (hook: number) => {
    const ofHook = receiver.received.filter(({ headers }) => String(headers['webhook-id']).includes(`_${hook}_`))
    return new Set(ofHook.map(({ data }) => data.id))
  }
  t.deepEqual(idsOf(hooks[0]?.hook ?? 0), new Set([group.id, private_.id]))
  t.deepEqual(idsOf(hooks[1]?.hook ?? 0), new Set([skipped.id, private_.id]))
})

test('what cannot be added is refused', async (t) => {
  const { receiver, operator, add, ann } = await openStage(t, { hooks: 1 })
  const values = { user: 'bob', url: receiver.url, kinds: '', reply: false, to: [] }
  const refused = (change: object) => refusal(t, operator.request(AddHook, { ...values, ...change }))
  t.is(await refused({ user: 'nobody' }), 'user_not_exist')
  t.is(await refused({ kinds: 'private,edits' }), 'invalid_value')
  t.is(await refused({ to: [{ user: '', group: 'nothing' }] }), 'group_not_exist')
  t.is(await refused({ to: [{ user: 'ann', group: 'ops' }] }), 'invalid_value')
  for (const url of [
    'ftp://example.org/',
    'nonsense',
    'http://10.0.0.1/',
    'http://a:b@example.org/',
    'http://example.org:22/',
  ])
    t.is(await refused({ url }), 'hook_url', url)
  t.is(await refusal(t, ann.request(AddHook, values)), 'not_allowed')
  await add('bob')
  t.is(await refused({}), 'too_many')
  for (const request of [
    operator.request(ChangeHook, { hook: 99, change: 'remove' }),
    operator.request(RotateHook, { hook: 99 }),
    operator.request(Redeliver, { hook: 99 }),
    operator.request(QueryFailedEvents, { hook: 99 }),
  ])
    t.is(await refusal(t, request), 'no_hook')
})

test('one conversation waits for its first event; at most four requests run at once', async (t) => {
  const { server, receiver, bob, add, idle } = await openStage(t)
  await add('bob')
  const held: { answer(): void; id: number }[] = []
  receiver.respond = ({ data }, response) => held.push({ id: data.id, answer: () => response.writeHead(200).end() })
  const senders = await Promise.all(['s1', 's2', 's3', 's4', 's5', 's6'].map((name) => server.user(name)))
  const sent: { from: string; id: number }[] = []
  for (const round of ['first', 'second'])
    for (const sender of senders) sent.push({ from: sender.name, id: (await sender.says('bob', round)).id })
  await receiver.arrived(4)
  await server.settled()
  t.is(receiver.received.length, 4)
  t.is(new Set(receiver.received.map(({ data }) => data.from)).size, 4, 'of four conversations')
  let answered = 0
  while (answered < sent.length) {
    await receiver.arrived(answered + 1)
    held[answered++]?.answer()
  }
  await idle()
  for (const { name } of senders)
    t.deepEqual(
      receiver.received.filter(({ data }) => data.from === name).map(({ data }) => data.id),
      sent.filter(({ from }) => from === name).map(({ id }) => id),
    )
  void bob
})

test('a failed event is attempted again after growing pauses, then given up; redelivery brings it', async (t) => {
  const { receiver, ann, bob, add, hook, operator, advance, idle } = await openStage(t)
  const { hook: id } = await add('bob', { kinds: 'private' })
  receiver.respond = status(500)
  const [first, second] = [await ann.says('bob', 'one'), await ann.says('bob', 'two')]
  await bob.hears('two')
  await receiver.arrived(1)
  await idle()
  t.like(await hook(), { state: 'failing', reason: 'answered 500', pending: 2, dead: 0 })
  for (const [index, pause] of PAUSES.entries()) {
    await advance(pause - 1)
    t.is(receiver.received.length, index + 1)
    await advance(1)
    t.deepEqual(
      receiver.ids().slice(0, 8),
      Array.from({ length: Math.min(8, index + 2) }, () => first.id),
    )
  }
  // The next one of the conversation has its turn.
  await idle()
  t.is(receiver.ids().at(-1), second.id)
  await bob.hears(/^Your hook \d+ \(http:.*\) has failed since 2030-01-01T00:00:00\.000Z: events are given up/)
  t.like(await hook(), { state: 'failing', pending: 1, dead: 1 })
  const failed = await operator.request(QueryFailedEvents, { hook: id })
  t.like(failed, { more: false, events: [{ id: first.id, attempts: 8, reason: 'answered 500' }] })

  receiver.respond = status(200)
  receiver.received.length = 0
  t.deepEqual(await operator.request(Redeliver, { hook: id, id: 12_345 }), { events: 0 })
  t.deepEqual(await operator.request(Redeliver, { hook: id }), { events: 1 })
  await receiver.arrived(2)
  await idle()
  // It is back: the second one, in a pause of its own, comes at once.
  t.deepEqual(receiver.ids(), [first.id, second.id])
  t.like(await hook(), { state: 'ok', pending: 0, dead: 0, reason: '', failingSince: 0 })
  t.deepEqual((await operator.request(QueryFailedEvents, { hook: id })).events, [])
})

test('an answer 410 disables a hook, and tells its owner; enabled, it continues there', async (t) => {
  const { receiver, ann, bob, add, hook, operator, advance, idle } = await openStage(t)
  const { hook: id } = await add('bob', { kinds: 'private' })
  receiver.respond = status(410)
  const sent = [await ann.says('bob', 'one')]
  await bob.hears('one')
  await bob.hears(/^Your hook \d+ \(http:.*\) is disabled: it answered 410 Gone/)
  await idle()
  t.like(await hook(), { state: 'disabled', reason: 'it answered 410 Gone', pending: 1 })
  for (const text of ['two', 'three']) sent.push(await ann.says('bob', text))
  await advance(10 * 24 * HOUR)
  t.is(receiver.received.length, 1)
  receiver.respond = status(200)
  await operator.request(ChangeHook, { hook: id, change: 'enable' })
  await receiver.arrived(4)
  await idle()
  t.deepEqual(
    receiver.ids().slice(1),
    sent.map((message) => message.id),
  )
  t.like(await hook(), { state: 'ok', reason: '', pending: 0 })
})

test('a hook that fails for five days is disabled', async (t) => {
  const { receiver, ann, bob, add, hook, advance, attempted } = await openStage(t)
  await add('bob', { kinds: 'private' })
  receiver.isDown = true
  await attempted(() => ann.says('bob', 'first'))
  for (let hours = 0; hours < 5 * 24; hours += 4) {
    t.is((await hook())?.state, 'failing', `after ${hours} hours`)
    await ann.says('bob', `after ${hours} hours`)
    await advance(4 * HOUR)
  }
  await advance(14 * HOUR)
  t.like(await hook(), { state: 'disabled', reason: 'it has failed for five days' })
  await bob.hears(/ is disabled: it has failed for five days/)
  await bob.hears(/: events are given up/)
  receiver.isDown = false
  await advance(24 * HOUR)
  t.deepEqual(receiver.received, [])
})

test('the text of an answer becomes a message where the event came from, once', async (t) => {
  const { receiver, ann, bob, carol, add, operator, idle, attempted } = await openStage(t)
  await ann.joins('ops')
  await bob.joins('ops')
  const { hook: id } = await add('bob', { reply: true })
  const json = (response: ServerResponse, body: string) =>
    response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(body)
  receiver.respond = ({ data }, response) => json(response, JSON.stringify({ text: `you said: ${data.text}` }))
  await ann.says('bob', 'hello')
  t.like(await ann.hears('you said: hello', { from: 'bob' }), { hops: 1 })
  await ann.says({ group: 'ops' }, 'all of you')
  await ann.hears('you said: all of you', { group: 'ops' })
  await idle()

  // The answer is lost on its way to the database of the server: the event comes again, the reply does not.
  for (const body of ['{"text":7}', 'not json', '{}', 'null', '{"text":""}', `{"text":"${'x'.repeat(70_000)}"}`]) {
    receiver.respond = (_received, response) => json(response, body)
    await attempted(() => ann.says('bob', 'and now?'))
  }
  receiver.respond = (_received, response) =>
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end('{"text":"x"}')
  await attempted(() => carol.says('bob', 'plain'))
  // Too long a text is refused as from Bob himself; the event counts as delivered.
  receiver.respond = (_received, response) => json(response, JSON.stringify({ text: 'x'.repeat(20_000) }))
  await attempted(() => carol.says('bob', 'long'))
  await ann.hearsNothing()
  await carol.hearsNothing()
  t.like((await operator.request(QueryHooks, {})).hooks[0], { hook: id, state: 'ok', pending: 0 })
})

test('an event that comes again is answered once', async (t) => {
  const { server, receiver, ann, bob, add, hook, advance, idle } = await openStage(t)
  await add('bob', { reply: true, kinds: 'private' })
  let count = 0
  receiver.respond = (_received, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ text: `answer ${++count}` }))
  const { id } = await ann.says('bob', 'question')
  await ann.hears('answer 1')
  await idle()
  // As after a crash before the position was stored.
  await server.db('hook').update({ pending: String(id) })
  const { hook: hookId } = (await hook()) ?? { hook: 0 }
  await server
    .db('hook_attempt')
    .insert({ hook_id: hookId, message_id: id, attempts: 8, next_at: 0, failed_at: 1, reason: '' })
  const operator = await server.operator()
  t.deepEqual(await operator.request(Redeliver, { hook: hookId, id }), { events: 1 })
  await receiver.arrived(2)
  await advance(0)
  await ann.hearsNothing()
  t.like(await hook(), { state: 'ok', pending: 0 })
  void bob
})

test('after a rotation both secrets sign for a day; the database holds neither', async (t) => {
  const { server, receiver, ann, add, operator, advance, idle } = await openStage(t)
  const { hook: id, secret: former } = await add('bob')
  const { secret } = await operator.request(RotateHook, { hook: id })
  t.not(secret, former)
  await ann.says('bob', 'one')
  await receiver.arrived(1)
  await idle()
  const [first] = receiver.received as [Receiver['received'][number]]
  for (const one of [secret, former]) t.truthy(verify(one, first, server.clock.time()))
  await advance(24 * HOUR)
  await ann.says('bob', 'two')
  await receiver.arrived(2)
  const second = receiver.received[1] as typeof first
  t.truthy(verify(secret, second, server.clock.time()))
  t.throws(() => verify(former, second, server.clock.time()), { message: /No matching signature/ })
  const row = await server.db('hook').where({ id }).first()
  for (const one of [secret, former])
    t.false(Buffer.from(row.secrets, 'base64').includes(Buffer.from(one.slice('whsec_'.length), 'base64')))
  t.false(JSON.stringify(row).includes('whsec_'))
})

test('an event that was recalled meanwhile is not delivered, an edited one with its new text', async (t) => {
  const { receiver, ann, add, hook, advance, idle } = await openStage(t)
  await add('bob')
  receiver.respond = status(503)
  const [recalled, edited] = [await ann.says('bob', 'wrong window'), await ann.says('bob', 'tne')]
  await receiver.arrived(1)
  await idle()
  await ann.client.recall(recalled.id)
  await ann.client.edit(edited.id, 'ten')
  receiver.respond = status(200)
  receiver.received.length = 0
  await advance(5 * SECOND)
  await receiver.arrived(1)
  await idle()
  t.deepEqual(
    receiver.received.map(({ data }) => [data.id, data.text]),
    [[edited.id, 'ten']],
  )
  t.like(await hook(), { state: 'ok', pending: 0 })
})

test('redirects, silence and long answers: each has its end', async (t) => {
  const { server, receiver, ann, add, hook, advance, idle } = await openStage(t)
  await add('bob')
  receiver.respond = (_received, response) => response.writeHead(307, { Location: receiver.url }).end()
  await ann.says('bob', 'one')
  await receiver.arrived(1)
  await idle()
  t.like(await hook(), { reason: 'answered 307' })

  // It takes the request, and does not answer.
  receiver.respond = () => {}
  server.clock.jump(5 * SECOND)
  await receiver.arrived(2)
  server.clock.jump(10 * SECOND)
  await idle()
  t.like(await hook(), { reason: 'no answer within 10 s' })

  // An answer without end is cut, and counts by its status.
  receiver.respond = (_received, response) => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    }
    response.on('drain', more)
    more()
  }
  await advance(5 * MINUTE)
  t.is(receiver.received.length, 3)
  t.like(await hook(), { state: 'ok', pending: 0 })
})

test('a disabled account’s hooks are disabled; a removed hook posts nothing', async (t) => {
  const { receiver, ann, bob, carol, add, hook, operator, idle } = await openStage(t)
  const { hook: id } = await add('bob')
  receiver.respond = status(500)
  await ann.says('bob', 'one')
  await receiver.arrived(1)
  await idle()
  await operator.request(SetUserActive, { user: 'bob', active: false })
  await operator.request(ChangeHook, { hook: id, change: 'disable' })
  await operator.request(ChangeHook, { hook: id, change: 'enable' })
  await idle()
  t.like(await hook(), { state: 'disabled', reason: 'the account of its user is disabled' })
  t.is(receiver.received.length, 1)
  await operator.request(ChangeHook, { hook: id, change: 'remove' })
  t.is(await hook(), undefined)

  const { hook: other } = await add('carol')
  await operator.request(ChangeHook, { hook: other, change: 'remove' })
  await ann.says('carol', 'hi')
  await carol.hears('hi')
  await idle()
  t.is(receiver.received.length, 1)
  void bob
})

test('beyond the limit the oldest dead letter is dropped', async (t) => {
  const { receiver, ann, add, operator, advance, attempted } = await openStage(t, { hookDeadLetters: 2 })
  const { hook: id } = await add('bob', { kinds: 'private' })
  receiver.respond = status(500)
  const sent: number[] = []
  await attempted(async () => {
    for (const text of ['one', 'two', 'three']) sent.push((await ann.says('bob', text)).id)
  })
  for (let round = 0; round < 3; round++) for (const pause of PAUSES) await advance(pause)
  const { events } = await operator.request(QueryFailedEvents, { hook: id })
  t.deepEqual(
    events.map((event) => event.id),
    sent.slice(1),
  )
})

test('more events than fit into memory are all delivered', async (t) => {
  const { receiver, ann, add, idle } = await openStage(t)
  await add('bob')
  const sent = await Promise.all(Array.from({ length: 700 }, (_, n) => ann.says('bob', String(n))))
  await receiver.arrived(700)
  await idle()
  t.deepEqual(
    receiver.ids(),
    sent.map(({ id }) => id).sort((a, b) => a - b),
  )
})

test('the requests of hooks are counted', async (t) => {
  const { server, receiver, ann, add, idle } = await openStage(t)
  await add('bob')
  await ann.says('bob', 'one')
  await receiver.arrived(1)
  await idle()
  receiver.respond = status(500)
  await ann.says('bob', 'two')
  await receiver.arrived(2)
  await idle()
  const families = await server.app.metrics.collect()
  const samples = (name: string) => families.find((family) => family.name === name)?.samples
  t.deepEqual(samples('chatctl_hook_attempts'), [
    { labels: { outcome: 'delivered' }, value: 1 },
    { labels: { outcome: 'failed' }, value: 1 },
  ])
  t.like(samples('chatctl_hooks'), [{ value: 0 }, { labels: { state: 'failing' }, value: 1 }])
  t.like(samples('chatctl_hook_events_pending'), [{ value: 1 }])
})

test('a hook that fails for one conversation while it delivers another one stays enabled', async (t) => {
  const { server, receiver, ann, carol, add, hook, idle, advance } = await openStage(t)
  await add('bob')
  const answers: ServerResponse[] = []
  receiver.respond = (_received, response) =>
    answers.length < 2 ? answers.push(response) : response.writeHead(204).end()
  await ann.says('bob', 'from Ann')
  await carol.says('bob', 'from Carol')
  await receiver.arrived(2)
  // The only connection is taken: the failure is not stored before the other event is delivered.
  const transaction = await server.db.transaction()
  const delivered = server.next(HookAttempted)
  answers[0]?.writeHead(503).end()
  answers[1]?.writeHead(204).end()
  t.like(await delivered, { outcome: 'delivered' })
  await transaction.rollback()
  await idle()
  t.not((await hook())?.state, 'disabled')
  await advance(5 * SECOND)
  await receiver.arrived(3)
  await idle()
  t.like(await hook(), { state: 'ok', pending: 0 })
})
