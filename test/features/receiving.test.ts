import test from 'ava'
import { type ChatMessage, type Client, CreateRoom, JoinRoom, OnNewMessage } from '../../client/index.ts'
import { definePlugin } from '../../core/index.ts'
import { privateMessages } from '../../plugins/messages/index.ts'
import { Receiving } from '../../plugins/messages/messages.ts'
import { testServer } from '../../testing/index.ts'
import { hears, nextPush, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const unreadOf = async (client: Client) => texts((await client.inbox()).messages)

test('messages to a user who is offline are pushed later, oldest first, until they are acknowledged [D-10]', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const bob = await server.user('bob')
  await bob.close()
  for (const text of ['one', 'two', 'three']) await alice.send('bob', text)

  const again = await server.user('bob')
  t.deepEqual(texts(await hears(again, 3, { acknowledge: false })), ['one', 'two', 'three'])
  await again.close()

  const later = await server.user('bob')
  const heard = await hears(later, 3, { acknowledge: false })
  t.deepEqual(texts(heard), ['one', 'two', 'three'], 'nothing was acknowledged, so it comes again')
  await later.acknowledge(heard[1] as ChatMessage)
  t.deepEqual(await unreadOf(later), ['three'])
  await later.close()

  const last = await server.user('bob')
  t.deepEqual(texts(await hears(last, 1)), ['three'])
})

test('a message is pushed to all sessions of its recipient, and acknowledged on any of them [D-10]', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const phone = await server.user('bob')
  const desk = await server.user('bob')
  const both = [hears(phone, 1, { acknowledge: false }), hears(desk, 1)]
  await alice.send('bob', 'everywhere')
  t.deepEqual((await Promise.all(both)).map(texts), [['everywhere'], ['everywhere']])
  t.deepEqual(await unreadOf(phone), [])
})

test('no more messages than the window are in flight; the others follow as Bob acknowledges [D-4]', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 10 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await Promise.all(Array.from({ length: 35 }, (_, n) => alice.send('bob', String(n))))
  const loop = bob.messages({ acknowledge: false })
  const first: ChatMessage[] = []
  while (first.length < 10) first.push((await loop.next()).value)
  // Nothing more is on its way: it would come before the reply to a request.
  const next = loop.next()
  const raced = await Promise.race([next, bob.inbox().then(() => 'silence')])
  t.is(raced, 'silence')
  await bob.acknowledge(first.at(-1) as ChatMessage)
  t.is((await next).value?.text, '10')
  await loop.return(undefined)
  // The last one was not acknowledged.
  t.deepEqual(
    texts(await hears(bob, 25)),
    Array.from({ length: 25 }, (_, n) => String(n + 10)),
  )
})

test('Bob receives from Alice only: messages of Carol stay unread', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 5 } })
  const [alice, carol, bob] = [await server.user('alice'), await server.user('carol'), await server.user('bob')]
  await Promise.all(Array.from({ length: 20 }, (_, n) => carol.send('bob', `carol ${n}`)))
  await alice.send('bob', 'hello')
  const hearing = hears(bob, 2, { from: 'alice' })
  await carol.send('bob', 'still me')
  await alice.send('bob', 'again')
  t.deepEqual(texts(await hearing), ['hello', 'again'])
  t.is((await unreadOf(bob)).length, 21)
})

test('a second receive replaces the first, with its filter [D-5]', async (t) => {
  const server = await startLocalServer(t)
  const [alice, carol, bob] = [await server.user('alice'), await server.user('carol'), await server.user('bob')]
  await alice.send('bob', 'from Alice')
  await carol.send('bob', 'from Carol')
  t.deepEqual(texts(await hears(bob, 1, { from: 'alice', acknowledge: false })), ['from Alice'])
  t.deepEqual(texts(await hears(bob, 1, { from: 'carol', acknowledge: false })), ['from Carol'])
  await t.throwsAsync(bob.receive({ from: 'nobody' }), { message: /no user "nobody"/ })
})

test('the reply to receive precedes the pushes of its delivery [D-5]', async (t) => {
  const sent: string[] = []
  const watcher = definePlugin({
    name: 'watcher',
    needs: { privateMessages },
    setup(app) {
      for (const message of [Receiving, OnNewMessage]) app.on(message, () => sent.push(message.name))
    },
  })
  const server = await startLocalServer(t, { plugins: [watcher] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.send('bob', 'unread')
  const pushed = nextPush(bob, OnNewMessage)
  await Promise.all([bob.receive(), alice.send('bob', 'new')])
  await pushed
  t.is(sent[0], 'receiving')
  t.true(sent.length > 1)
})

test('a session without receive gets no pushes', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  bob.on(OnNewMessage, () => t.fail('a push without receive'))
  await alice.send('bob', 'quiet')
  t.deepEqual(await unreadOf(bob), ['quiet'])
})

test('of two pipelined receives the later one holds', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await server.user('carol')
  await alice.send('bob', 'hello')
  const heard = hears(bob, 1)
  await Promise.all([bob.receive({ from: 'carol' }), bob.receive({})])
  t.deepEqual(texts(await heard), ['hello'])
})

test('a page of the inbox says that more follow if private and group messages together exceed it', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  for (const text of ['one', 'two']) await bob.send('alice', text)
  for (const text of ['three', 'four']) await bob.send({ group: 'ops' }, text)
  const page = await alice.inbox({ limit: 3 })
  t.deepEqual([texts(page.messages), page.more], [['one', 'two', 'three'], true])
  const next = await alice.inbox({ limit: 3, after: page.messages.at(-1)?.id ?? 0 })
  t.deepEqual([texts(next.messages), next.more], [['four'], false])
})

test('receive of a user who has read everything reads no message from the database', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.client.send('bob', 'before')
  const [message] = await hears(bob.client, 1, { acknowledge: false })
  await bob.client.acknowledge(message as ChatMessage)
  await bob.client.close()
  await server.settled()

  const statements: string[] = []
  server.db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
  const again = await server.user('bob')
  const heard = hears(again.client, 1)
  await server.settled()
  t.deepEqual(
    statements.filter((sql) => /select m\.\*/.test(sql)),
    [],
  )
  await alice.client.send('bob', 'after')
  t.deepEqual(texts(await heard), ['after'])
})
