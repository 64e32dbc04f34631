import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { Broadcast, type ChatMessage, type Client, connect, SendMessage } from '../../client/index.ts'
import { deriveKeys, verifierOf } from '../../core/scram/index.ts'
import { openDatabase } from '../../db/index.ts'
import {
  ActAs,
  CreateUser,
  KickUser,
  QueryUsers,
  SetUserActive,
  SetUserPassword,
} from '../../plugins/admin/messages.ts'
import { refusal, texts } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

const unreadOf = async (client: Client) => texts((await client.inbox()).messages)

/** Receives and acknowledges so many messages. */
async function hears(client: Client, count: number, kind?: 'system'): Promise<ChatMessage[]> {
  const heard: ChatMessage[] = []
  for await (const message of client.messages({ acknowledge: false, ...(kind && { kind }) })) {
    heard.push(message)
    await client.acknowledge(message)
    if (heard.length === count) break
  }
  return heard
}

async function operatorOf(t: ExecutionContext, server: LocalServer): Promise<Client> {
  const operator = await connect({ server: { path: server.control }, reconnect: false })
  t.teardown(() => operator.close())
  return operator
}

async function newVerifier(password: string) {
  const salt = Buffer.alloc(32, 1)
  return verifierOf(await deriveKeys(password, salt, 4096), salt, 4096)
}

/** Stops the server and changes its database. */
async function changeDatabase(server: LocalServer, change: (db: Knex) => Promise<unknown>) {
  await server.close()
  const db = await openDatabase(server.db ?? `${server.data}/chat.db`)
  await change(db)
  await db.destroy()
}

/** An admin, created by the operator and logged in. */
async function adminOf(server: LocalServer, operator: Client, name: string): Promise<Client> {
  await operator.request(CreateUser, { user: name, role: 'admin', ...(await newVerifier(`${name}'s password`)) })
  return server.user(name)
}

test('an admin’s broadcast reaches two online users at once and Carol at her login; each acknowledges it', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const root = await adminOf(server, operator, 'root')
  const [alice, bob, away] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  await away.close()
  const hearing = [hears(alice, 1), hears(bob, 1)]
  t.deepEqual(await root.request(Broadcast, { text: '停机 at 6\nfor an hour' }), { recipients: 4 })
  const heard = (await Promise.all(hearing)).flat()
  const news = { kind: 'system', from: 'system', text: '停机 at 6\nfor an hour', unread: true }
  t.like(heard, { 0: { ...news, to: 'alice' }, 1: { ...news, to: 'bob' } })
  t.deepEqual([await unreadOf(alice), await unreadOf(bob)], [[], []])

  const carol = await server.user('carol')
  t.deepEqual(texts(await hears(carol, 1)), ['停机 at 6\nfor an hour'])
  t.deepEqual(await unreadOf(carol), [])
  t.deepEqual(texts((await carol.history('system')).messages), ['停机 at 6\nfor an hour'])
})

test('a system message to one user reaches that user only, and no disabled one', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.deepEqual(await operator.request(Broadcast, { text: 'your disk is full', to: 'Bob' }), { recipients: 1 })
  t.deepEqual([await unreadOf(alice), await unreadOf(bob)], [[], ['your disk is full']])
  t.is(await refusal(t, operator.request(Broadcast, { text: 'x', to: 'nobody' })), 'user_not_exist')
  await operator.request(SetUserActive, { user: 'bob', active: false })
  t.is(await refusal(t, operator.request(Broadcast, { text: 'x', to: 'bob' })), 'user_not_exist')
  t.deepEqual(await operator.request(Broadcast, { text: 'to all' }), { recipients: 1 })
  await operator.request(SetUserActive, { user: 'bob', active: true })
  t.deepEqual(await unreadOf(await server.user('bob')), ['your disk is full'])
})

test('an interrupted broadcast is completed by resending it, and nobody gets it twice', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  const news = { text: 'news', clientId: 'monday' }
  // The state after a crash: stored for the first user, not for the others.
  await operator.request(Broadcast, { ...news, to: 'alice' })
  t.deepEqual(await hears(alice, 1).then(texts), ['news'])
  t.deepEqual(await operator.request(Broadcast, news), { recipients: 3 })
  t.deepEqual(await operator.request(Broadcast, news), { recipients: 3 })
  t.deepEqual(await Promise.all([alice, bob, carol].map(unreadOf)), [[], ['news'], ['news']])

  // Also after a restart, for new accounts.
  await server.close()
  const reopened = await startLocalServer(t, { data: server.data })
  const dave = await reopened.user('dave')
  const again = await operatorOf(t, reopened)
  t.deepEqual(await again.request(Broadcast, news), { recipients: 4 })
  t.deepEqual(await Promise.all([reopened.user('bob'), dave].map(async (who) => unreadOf(await who))), [
    ['news'],
    ['news'],
  ])
})

test('a client id reused for another text is refused before delivery; each sender has its own client ids', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const root = await adminOf(server, operator, 'root')
  const alice = await server.user('alice')
  await operator.request(Broadcast, { text: 'one', clientId: 'x' })
  const bob = await server.user('bob')
  t.is(await refusal(t, operator.request(Broadcast, { text: 'two', clientId: 'x' })), 'client_id_reused')
  await root.request(Broadcast, { text: 'of root', clientId: 'x' })
  t.deepEqual([await unreadOf(alice), await unreadOf(bob)], [['one', 'of root'], ['of root']])
  await operator.request(Broadcast, { text: 'same' })
  await operator.request(Broadcast, { text: 'same' })
  t.deepEqual(await unreadOf(bob), ['of root', 'same', 'same'])
})

test('a broadcast to more accounts than a page reaches each once', async (t) => {
  const before = await startLocalServer(t)
  // Directly into the database: a request for each account would flush the disk each time.
  const rows = Array.from({ length: 850 }, (_, n) => ({
    username: `user${n}`,
    password: '',
    nickname: '',
    reg_time: 0,
  }))
  await changeDatabase(before, (db) => db.batchInsert('userinfo', rows, 200))
  const server = await startLocalServer(t, { data: before.data })
  const operator = await operatorOf(t, server)
  t.deepEqual(await operator.request(Broadcast, { text: 'all of you' }), { recipients: 850 })
  for (const name of ['user0', 'user399', 'user400', 'user401', 'user849']) {
    const reader = await server.operator()
    await reader.actAs(name)
    t.deepEqual(await unreadOf(reader), ['all of you'], name)
  }
})

test('when Bob listens to system messages only, unread chat is neither pushed nor delays them', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 5 } })
  const operator = await operatorOf(t, server)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await Promise.all(Array.from({ length: 20 }, (_, n) => alice.send('bob', `chat ${n}`)))
  await operator.request(Broadcast, { text: 'waited', to: 'bob' })
  const hearing = hears(bob, 2, 'system')
  await alice.send('bob', 'more chat')
  await operator.request(Broadcast, { text: 'just now', to: 'bob' })
  t.deepEqual(texts(await hearing), ['waited', 'just now'])
  t.is((await unreadOf(bob)).length, 21)
})

test('a session that asks for chat gets no system messages', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await operator.request(Broadcast, { text: 'not this', to: 'bob' })
  await alice.send('bob', 'this')
  for await (const { text } of bob.messages({ kind: 'chat' })) {
    t.is(text, 'this')
    break
  }
})

test('a user may neither broadcast nor kick; a text that is too long is refused', async (t) => {
  const server = await startLocalServer(t, { limits: { text: 100 } })
  const operator = await operatorOf(t, server)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.is(await refusal(t, alice.request(Broadcast, { text: 'buy now' })), 'not_allowed')
  t.is(await refusal(t, alice.request(KickUser, { user: 'bob' })), 'not_allowed')
  t.is(await refusal(t, operator.request(Broadcast, { text: 'x'.repeat(101) })), 'too_large')
  t.deepEqual(await unreadOf(bob), [])
})

test('the name system cannot be registered, logged in, acted for, enabled or written to', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const alice = await server.user('alice')
  const stranger = await server.connect()
  const verifier = await newVerifier('a password')
  for (const name of ['system', 'System']) {
    t.is(await refusal(t, stranger.register(name, 'a password')), 'username_taken')
    t.is(await refusal(t, operator.request(CreateUser, { user: name, ...verifier })), 'username_taken')
    t.is(await refusal(t, stranger.login(name, { password: 'a password' })), 'login_failed')
    t.is(await refusal(t, operator.request(ActAs, { user: name })), 'user_not_exist')
    t.is(await refusal(t, operator.request(SetUserActive, { user: name, active: true })), 'user_not_exist')
    t.is(await refusal(t, operator.request(SetUserPassword, { user: name, ...verifier })), 'user_not_exist')
    t.is(await refusal(t, alice.request(SendMessage, { to: name, text: 'hi' })), 'user_not_exist')
    t.is(await refusal(t, operator.request(Broadcast, { to: name, text: 'hi' })), 'user_not_exist')
  }
  const { users } = await operator.request(QueryUsers, {})
  t.deepEqual(
    users.map(({ user }) => user),
    ['alice'],
  )
})

test('the user system of an adopted database logs in as before', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  await alice.close()
  await changeDatabase(server, (db) => db('userinfo').where({ username: 'alice' }).update({ username: 'system' }))
  const reopened = await startLocalServer(t, { data: server.data })
  const old = await reopened.connect()
  t.like(await old.login('system', { password: "alice's password" }), { user: 'system', role: 'user' })
})

test('kicking Bob ends all his sessions with the reason, and his client does not reconnect', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const [phone, desk] = [await server.user('bob', { reconnect: true }), await server.user('bob', { reconnect: true })]
  const alice = await server.user('alice')
  const life: string[] = []
  const ends = [phone, desk].map((client) => {
    client.onLife('disconnected', () => life.push('disconnected'))
    client.onLife('reconnected', () => life.push('reconnected'))
    return new Promise<Error>((resolve) => client.onLife('closed', resolve))
  })
  t.deepEqual(await operator.request(KickUser, { user: 'Bob' }), { sessions: 2, silentNodes: '' })
  for (const end of ends) t.like(await end, { failure: 'kicked', message: 'an admin ended the session' })
  t.deepEqual(life, [])
  await t.throwsAsync(phone.inbox(), { message: 'an admin ended the session' })
  t.deepEqual(await alice.inbox(), { more: false, messages: [] }, 'others stay')
  t.deepEqual(await operator.request(KickUser, { user: 'bob' }), { sessions: 0, silentNodes: '' })
  t.is(await refusal(t, operator.request(KickUser, { user: 'nobody' })), 'user_not_exist')
  await t.notThrowsAsync(server.user('bob'), 'he may log in again')
})

test('an admin who kicks himself gets the reply first', async (t) => {
  const server = await startLocalServer(t)
  const root = await adminOf(server, await operatorOf(t, server), 'root')
  t.deepEqual(await root.request(KickUser, { user: 'root' }), { sessions: 1, silentNodes: '' })
})

test('broadcasts and kicks are in the audit log, without the text', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  const root = await adminOf(server, operator, 'root')
  await root.request(Broadcast, { text: 'a secret' })
  await operator.request(Broadcast, { text: 'a secret', to: 'root' })
  await operator.request(KickUser, { user: 'root' })
  const { readFile } = await import('node:fs/promises')
  const log = await readFile(`${server.data}/audit.log`, 'utf8')
  const records = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.like(records.slice(-3), {
    0: { event: 'broadcast', by: 'root', recipients: 1 },
    1: { event: 'broadcast', by: 'operator', to: 'root', recipients: 1 },
    2: { event: 'user_kicked', by: 'operator', user: 'root', sessions: 1 },
  })
  t.notRegex(log, /secret/)
})

test('an account named operator is distinguished from the operator, and the name cannot be registered', async (t) => {
  const server = await startLocalServer(t)
  const operator = await operatorOf(t, server)
  await (await adminOf(server, operator, 'root')).close()
  await operator.close()
  // Of an adopted database.
  await changeDatabase(server, (db) => db('userinfo').where({ username: 'root' }).update({ username: 'operator' }))
  const reopened = await startLocalServer(t, { data: server.data })
  const admin = await reopened.connect()
  await admin.login('operator', { password: "root's password" })
  await admin.request(KickUser, { user: 'operator' })
  await (await operatorOf(t, reopened)).request(KickUser, { user: 'operator' })
  const { readFile } = await import('node:fs/promises')
  const records = (await readFile(`${server.data}/audit.log`, 'utf8')).trim().split('\n').slice(-2)
  t.deepEqual(
    records.map((record) => JSON.parse(record)).map(({ by, isOperator }) => [by, isOperator]),
    [
      ['operator', false],
      ['operator', true],
    ],
  )
  const other = await startLocalServer(t)
  t.is(await refusal(t, (await other.connect()).register('Operator', 'a password')), 'username_taken')
})
