import test from 'ava'
import pino from 'pino'
import { type Client, CreateRoom, JoinRoom, QueryRoomUsers, SendMessage, type ValuesOf } from '../../client/index.ts'
import { clientMessage, definePlugin, line, Ping, QueryPlugins } from '../../core/index.ts'
import { CreateUser } from '../../plugins/admin/messages.ts'
import { Tap, Tapped } from '../../plugins/tap/messages.ts'
import { type TestServer, testServer } from '../../testing/index.ts'

type Entry = Omit<ValuesOf<typeof Tapped>, 'values'> & { readonly values: Record<string, unknown> }

const failure = (asked: Promise<unknown>) =>
  asked.then(
    () => 'ok',
    (error: { failure?: string }) => error.failure,
  )

/** An operator with a tap, and the records received so far. */
async function tapping(server: TestServer, filter: Parameters<typeof tapWith>[1] = {}) {
  const operator = await server.operator()
  const entries: Entry[] = []
  operator.on(Tapped, ({ values, ...entry }) => entries.push({ ...entry, values: JSON.parse(values) }))
  await tapWith(operator, filter)
  return {
    operator,
    async told(): Promise<Entry[]> {
      await server.settled()
      return entries.splice(0)
    },
  }
}

const tapWith = (
  operator: Client,
  filter: { readonly user?: string; readonly type?: string; readonly group?: string; readonly texts?: boolean },
) => operator.request(Tap, filter)

const brief = ({ direction, user, name, outcome }: Entry) => `${direction} ${user} ${name} ${outcome}`

/** Message types that currently have a tap listener. */
async function listened(operator: Client): Promise<number> {
  const plugins = JSON.parse((await operator.request(QueryPlugins, {})).json) as { name: string; listens: string[] }[]
  return plugins.find(({ name }) => name === 'tap')?.listens.length ?? -1
}

test('a tap shows a request before its reply, with names and without texts', async (t) => {
  await using server = await testServer({ clock: new Date('2031-02-03T04:05:06Z') })
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const { told } = await tapping(server)
  await alice.client.send('bob', 'häuser', { clientId: 'a1' })
  const [request, reply] = (await told()).filter(({ user }) => user === 'alice')
  t.like(request, {
    at: Date.parse('2031-02-03T04:05:06Z'),
    direction: 'in',
    user: 'alice',
    name: 'send_message',
    outcome: 'ok',
    dropped: 0,
  })
  t.like(request?.values, { to: 'bob', clientId: 'a1', text: { bytes: 7 } })
  t.like(reply, { direction: 'out', user: 'alice', name: 'message_stored', session: request?.session })
})

test('a pushed message shows for each session that gets it', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await bob.client.request(CreateRoom, { group: 'Ops' })
  await alice.client.request(JoinRoom, { group: 'Ops' })
  const { operator, told } = await tapping(server, { type: 'on_new_message' })
  const { id } = await alice.client.send('bob', 'hush')
  await bob.client.send({ group: 'Ops' }, 'all of you')
  const pushes = await told()
  t.deepEqual(pushes.map(brief), ['out bob on_new_message ok', 'out alice on_new_message ok'])
  t.like(pushes[0]?.values, { messages: [{ id, from: 'alice', text: { bytes: 4 } }] })
  await tapWith(operator, { type: 'on_new_message', group: 'Ops', texts: true })
  await alice.client.send('bob', 'hush')
  await bob.client.send({ group: 'Ops' }, 'all of you')
  const inGroup = await told()
  t.deepEqual(inGroup.map(brief), ['out alice on_new_message ok'])
  t.like(inGroup[0]?.values, { messages: [{ group: 'Ops', text: 'all of you' }] })
})

test('a tap shows refusals and sessions before login', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const { told } = await tapping(server)
  t.is(await failure(alice.client.send('nobody', 'hello')), 'user_not_exist')
  t.is(await failure((await server.connect()).send('alice', 'hello')), 'login_required')
  t.deepEqual((await told()).map(brief), [
    'out alice user_not_exist user_not_exist',
    'out  general_failure login_required',
  ])
})

test('the server filters by user, by type, by group, and by all of them', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.client.request(CreateRoom, { group: 'Ops' })
  const act = async () => {
    await alice.client.send('bob', 'hello')
    await bob.client.send('alice', 'hello')
    await failure(bob.client.request(JoinRoom, { group: 'Ops' }))
    await alice.client.send({ group: 'Ops' }, 'hello')
    await alice.client.request(QueryRoomUsers, { group: 'Ops' })
  }
  const names = async (filter: Parameters<typeof tapWith>[1]) => {
    const { operator, told } = await tapping(server, filter)
    await act()
    const seen = await told()
    await operator.close()
    return [...new Set(seen.map(({ user, direction, name }) => `${user} ${direction} ${name}`))]
  }
  const ofBob = await names({ user: 'BOB' })
  t.true(ofBob.length > 0 && ofBob.every((entry) => entry.startsWith('bob ')), ofBob.join())
  t.deepEqual(await names({ type: 'send_message' }), ['alice in send_message', 'bob in send_message'])
  const ofGroup = await names({ group: 'Ops' })
  for (const entry of ['alice in chatroom_message', 'alice in query_room_users', 'alice out query_room_users_result'])
    t.true(ofGroup.includes(entry), `${entry} in ${ofGroup.join()}`)
  t.false(ofGroup.some((entry) => entry.includes('send_message')))
  const reply = 'query_room_users_result'
  t.deepEqual(await names({ type: reply, group: 'Ops' }), [`alice out ${reply}`])
  t.deepEqual(await names({ user: 'alice', type: 'chatroom_message', group: 'Ops' }), ['alice in chatroom_message'])
})

test('a filter for an unknown name is refused, and the running tap continues', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const { operator, told } = await tapping(server, { type: 'ping' })
  t.is(await failure(tapWith(operator, { user: 'nobody' })), 'user_not_exist')
  t.is(await failure(tapWith(operator, { group: 'nowhere' })), 'group_not_exist')
  for (const type of ['no_such_type', 'tap', 'tapped'])
    t.is(await failure(tapWith(operator, { type })), 'invalid_value')
  t.is(await failure(alice.client.request(Tap, {})), 'not_allowed')
  t.is(await failure((await server.connect()).request(Tap, {})), 'not_allowed')
  await told()
  await alice.client.request(Ping, {})
  t.deepEqual((await told()).map(brief), ['in alice ping ok'])
})

test('texts are shown only on request, which is written to the audit log with the filter', async (t) => {
  const traces: { event?: string }[] = []
  const log = pino({ level: 'info' }, { write: (record: string) => void traces.push(JSON.parse(record)) })
  await using server = await testServer({ log })
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const { operator, told } = await tapping(server)
  await alice.client.send('bob', 'hush')
  t.false(JSON.stringify(await told()).includes('hush'))
  t.is(traces.filter(({ event }) => event === 'tap').length, 0)
  await tapWith(operator, { user: 'alice', type: 'send_message', texts: true })
  await alice.client.send('bob', 'hush')
  const entries = await told()
  t.deepEqual(entries.map(brief), ['in alice send_message ok'], 'the new filter is the only one')
  t.is(entries[0]?.values.text, 'hush')
  const [trace] = traces.filter(({ event }) => event === 'tap')
  t.like(trace, { by: 'operator', user: 'alice', type: 'send_message', group: '', texts: true })
})

test('the server has tap listeners only while a tap is open', async (t) => {
  await using server = await testServer()
  const watching = await server.operator()
  t.is(await listened(watching), 0)
  const { operator } = await tapping(server)
  t.true((await listened(watching)) > 50)
  await tapWith(operator, { type: 'send_message' })
  t.is(await listened(watching), 1, 'the old filter has ended')
  t.is((server.status() as { taps?: number }).taps, 1)
  await operator.close()
  await server.settled()
  t.is(await listened(watching), 0)
  t.is((server.status() as { taps?: number }).taps, 0)
})

test('two taps show each other’s requests, but not tap records', async (t) => {
  await using server = await testServer()
  const [first, second] = [await tapping(server), await tapping(server)]
  const alice = await server.user('alice')
  const seen = [await first.told(), await second.told()]
  for (const entries of seen) {
    t.true(entries.some(({ name, user }) => name === 'login_proof' && user === 'alice'))
    t.deepEqual(
      entries.filter(({ name }) => name === 'tap' || name === 'tapped'),
      [],
    )
  }
  await second.operator.actAs('alice')
  t.true((await first.told()).map(brief).includes('in alice act_as ok'))
  t.deepEqual((await second.told()).map(brief), [], 'not even its own')
  await alice.client.send('alice', 'a note')
  t.true((await second.told()).length > 0, 'it continues')
})

test('records beyond the rate are dropped, and the next record counts them', async (t) => {
  await using server = await testServer({ limits: { tapRate: 10 } })
  const alice = await server.user('alice')
  const { told } = await tapping(server, { type: 'send_message' })
  for (let count = 0; count < 25; count++) await alice.client.send('alice', `note ${count}`)
  t.is((await told()).length, 10)
  await server.clock.advance(100)
  for (const text of ['one more', 'one too many']) await alice.client.send('alice', text)
  const [next, ...others] = await told()
  t.is(next?.dropped, 15)
  t.deepEqual(others, [])
  await server.clock.advance(1000)
  for (const text of ['a', 'b']) await alice.client.send('alice', text)
  t.deepEqual(
    (await told()).map(({ dropped }) => dropped),
    [1, 0],
  )
})

test('a tap that does not read loses records, without delaying others', async (t) => {
  await using server = await testServer({ limits: { outboundSoft: 4096, tapRate: 100_000 } })
  const alice = await server.user('alice')
  const { operator, told } = await tapping(server, { type: 'send_message', texts: true })
  const text = 'x'.repeat(3000)
  // All in one turn of the event loop: the server cannot write in between.
  const sent = await Promise.all(Array.from({ length: 100 }, () => alice.client.send('alice', text)))
  t.is(sent.length, 100)
  const entries = await told()
  await alice.client.send('alice', text)
  const [last] = await told()
  t.true(entries.length < 100, 'some records are dropped')
  const dropped = [...entries, last].reduce((sum, entry) => sum + (entry?.dropped ?? 0), 0)
  t.is(entries.length + 1 + dropped, 101, 'each dropped record is counted')
  await operator.close()
})

test('credentials are never shown, whatever the filter', async (t) => {
  await using server = await testServer()
  const { operator, told } = await tapping(server, { texts: true })
  const stranger = await server.connect()
  await stranger.register('carol', 'correct horse', { nickname: 'Carol' })
  await stranger.login('carol', { password: 'correct horse' })
  await stranger.changePassword('correct horse', 'battery staple')
  const maker = await server.operator()
  const verifier = { salt: Buffer.alloc(16, 1), iterations: 4096, storedKey: Buffer.alloc(32, 2) }
  await maker.request(CreateUser, { user: 'dave', ...verifier, serverKey: Buffer.alloc(32, 3) })
  await maker.actAs('carol')
  await stranger.send('carol', 'said twice', { clientId: 'x' })
  await stranger.request(SendMessage, { to: 'carol', text: 'in an envelope' }, { key: 'k' })
  const entries = await told()
  const allowed = ['id', 'user', 'nickname', 'role', 'key', 'repeat']
  const about = ['login', 'login_proof', 'login_challenge', 'new_salt', 'salt', 'register', 'change_password']
  for (const name of [...about, 'login_successful', 'create_user', 'once', 'once_done']) {
    const entry = entries.find((candidate) => candidate.name === name)
    t.truthy(entry, name)
    for (const [field, value] of Object.entries(entry?.values ?? {}))
      if (!allowed.includes(field)) t.deepEqual(value, { hidden: true }, `${name}.${field}`)
  }
  t.like(entries.find(({ name }) => name === 'register')?.values, { user: 'carol', nickname: 'Carol' })
  t.true(entries.some(({ name, values }) => name === 'send_message' && values.text === 'in an envelope'))
  await operator.close()
})

test('of a third-party plugin’s messages only names are shown', async (t) => {
  const AskAll = clientMessage({
    type: 5001,
    name: 'ask_all',
    about: '',
    allow: 'user',
    fields: { group: line('where'), question: line('what'), apiToken: line('which') },
  })
  const asking = definePlugin({
    name: 'asking',
    messages: { AskAll },
    setup(app) {
      app.handle(AskAll, () => {})
    },
  })
  await using server = await testServer({ plugins: [asking] })
  const alice = await server.user('alice')
  const { operator, told } = await tapping(server, { type: 'ask_all' })
  const ask = () => alice.client.request(AskAll, { group: 'ops', question: 'Tea?', apiToken: 't0k3n' })
  await ask()
  t.deepEqual((await told())[0]?.values, { group: 'ops', question: { bytes: 4 }, apiToken: { hidden: true } })
  await tapWith(operator, { texts: true })
  await ask()
  t.deepEqual((await told())[0]?.values, { group: 'ops', question: 'Tea?', apiToken: { hidden: true } })
})

test('a failed login is shown without the proof', async (t) => {
  await using server = await testServer()
  await server.user('alice')
  const { told } = await tapping(server, { texts: true })
  await failure((await server.connect()).login('alice', { password: 'guessed' }))
  const entries = await told()
  t.deepEqual(entries.map(brief), ['in  login ok', 'out  login_challenge ok', 'out  login_failed login_failed'])
})

test('an envelope is shown with its content', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const { told } = await tapping(server, { user: 'alice' })
  await alice.client.request(SendMessage, { to: 'alice', text: 'hi' }, { key: 'k' })
  const names = (await told()).map(({ name }) => name)
  t.true(names.includes('send_message') && names.includes('once'), names.join())
})
