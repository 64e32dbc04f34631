import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { dataPaths } from '../../cli/server/paths.ts'
import {
  BlockUser,
  type ChatMessage,
  type Client,
  CreateRoom,
  EditMessage,
  JoinRoom,
  LeaveRoom,
  MessageEdited,
  OnNewMessage,
  QueryContacts,
  QueryRooms,
  Sync,
} from '../../client/index.ts'
import { openDatabase } from '../../db/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { nextPush, refusal, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const GROUP = { group: 'ops' }

/** The new texts that a client is notified of from now on. */
function editsHeard(client: Client): string[] {
  const heard: string[] = []
  client.on(MessageEdited, ({ text }) => heard.push(text))
  return heard
}

async function people<const N extends string>(t: ExecutionContext, ...names: N[]) {
  const stage = await startLocalServer(t)
  const clients: Record<string, Client> = {}
  for (const name of names) clients[name] = await stage.user(name)
  return { stage, ...(clients as Record<N, Client>) }
}

test('an edit is announced to all sessions of both users but the requesting one, and seen wherever the message is', async (t) => {
  const { stage, alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  const [desk, phone] = [await stage.user('alice'), await stage.user('bob')]
  const { id, sentAt } = await alice.send('bob', 'see you at nine')
  const [hers, carols] = [editsHeard(alice), editsHeard(carol)]
  const hearing = [desk, bob, phone].map((client) => nextPush(client, MessageEdited))
  const { editedAt } = await alice.request(EditMessage, { id, text: 'see you at ten' })
  t.true(editedAt >= sentAt.getTime())
  for (const told of await Promise.all(hearing))
    t.deepEqual(told, { id, from: 'alice', to: 'bob', group: '', text: 'see you at ten', editedAt })

  const everywhere = [
    await bob.inbox(),
    await bob.history('alice'),
    await alice.history('bob'),
    await bob.search('ten'),
  ]
  for (const { messages } of everywhere) {
    t.like(messages, { length: 1 })
    t.like(messages[0], { id, text: 'see you at ten', sentAt, editedAt: new Date(editedAt), unread: true })
  }
  t.deepEqual((await bob.search('nine')).messages, [])
  const { contacts } = await bob.request(QueryContacts, {})
  t.like(
    contacts.find(({ name }) => name === 'alice'),
    { lastText: 'see you at ten', unread: 1 },
  )
  await carol.inbox()
  t.deepEqual([hers, carols], [[], []])
})

test('an edit does not change what is read, and a message that was read stays so', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const first = await alice.send('bob', 'one')
  await alice.send('bob', 'two')
  await bob.acknowledge({ from: 'alice', id: first.id })
  await alice.edit(first.id, 'uno')
  t.deepEqual(texts((await bob.inbox()).messages), ['two'])
  const back = await stage.user('bob')
  const pushed = nextPush(back, OnNewMessage)
  t.is(await back.receive(), 1)
  t.deepEqual(
    (await pushed).messages.map(({ text }) => text),
    ['two'],
  )
})

test('a client that was away syncs edits and changed reactions of the messages that it may read', async (t) => {
  const { stage, alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  await alice.request(CreateRoom, GROUP)
  await bob.request(JoinRoom, GROUP)
  const [inPrivate, inGroup] = [await alice.send('bob', 'one'), await alice.send(GROUP, 'two')]
  const gone = await alice.send('bob', 'three')
  await carol.request(JoinRoom, GROUP)
  const { upTo } = await bob.request(Sync, {})
  await bob.close()
  const { editedAt } = await alice.request(EditMessage, { id: inPrivate.id, text: 'uno' })
  await alice.react(inPrivate.id, '👍')
  await alice.edit(inGroup.id, 'due')
  await alice.react(inGroup.id, '👍')
  await alice.edit(gone.id, 'tre')
  await alice.recall(gone.id)
  const back = await stage.user('bob')
  const synced = async (client: Client) => {
    const { entries } = await client.request(Sync, { after: upTo })
    return entries.map(({ entry, id, text, group, from }) => [entry, id, text, group, from])
  }
  t.deepEqual(await synced(back), [
    [3, inPrivate.id, 'uno', '', 'alice'],
    [4, inPrivate.id, '', '', ''],
    [3, inGroup.id, 'due', 'ops', 'alice'],
    [4, inGroup.id, '', '', ''],
    [2, gone.id, '', '', ''],
  ])
  t.like((await back.request(Sync, { after: upTo })).entries[0], { editedAt, to: 'bob' })
  t.deepEqual(await synced(carol), [], 'she joined after the message')
  const { entries } = await back.request(Sync, {})
  t.deepEqual(
    entries.filter(({ entry }) => entry === 1).map(({ text }) => text),
    ['uno', 'due'],
  )
})

test('only the sender edits a message, and not after its recall', async (t) => {
  const { alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  const { id } = await alice.send('bob', 'hers')
  for (const other of [bob, carol]) t.is(await refusal(t, other.edit(id, 'mine')), 'no_message')
  for (const unknown of [0, id + 1, Number.MAX_SAFE_INTEGER])
    t.is(await refusal(t, alice.edit(unknown, 'x')), 'no_message', String(unknown))
  await alice.edit(id, 'changed')
  await alice.recall(id)
  t.is(await refusal(t, alice.edit(id, 'again')), 'no_message')
  t.deepEqual((await bob.inbox()).messages, [])
  t.deepEqual((await bob.search('hers')).messages, [])
})

test('a message is edited within the time that the operator sets, and not a millisecond later', async (t) => {
  const clock = new TestClock()
  const stage = await startLocalServer(t, { clock, limits: { editable: 60_000, ping: 1e12, dead: 1e12 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'first')
  await clock.advance(60_000)
  await alice.edit(id, 'second')
  await clock.advance(1)
  t.is(await refusal(t, alice.edit(id, 'third')), 'not_editable')
  t.deepEqual(texts((await bob.inbox()).messages), ['second'])
})

test('the time of an edit ascends, even if the clock stands still', async (t) => {
  const clock = new TestClock()
  const stage = await startLocalServer(t, { clock, limits: { ping: 1e12, dead: 1e12 } })
  const [alice] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'one')
  const first = await alice.request(EditMessage, { id, text: 'two' })
  const second = await alice.request(EditMessage, { id, text: 'three' })
  t.is(second.editedAt, first.editedAt + 1)
})

test('former texts are kept in the database, and an edit to the same text changes nothing', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'one')
  const heard = editsHeard(bob)
  for (const text of ['two', 'two', 'three']) await alice.edit(id, text)
  await bob.inbox()
  t.deepEqual(heard, ['two', 'three'])
  t.deepEqual(await alice.request(EditMessage, { id, text: 'three' }), { editedAt: 0 })
  const db = await openDatabase(stage.db ?? dataPaths(stage.data).database)
  t.teardown(() => db.destroy())
  t.deepEqual(await db('message_former_text').where({ message_id: id }).orderBy('id').pluck('msg'), ['one', 'two'])
})

test('concurrent edits are announced in the order in which they are stored', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'start')
  const heard = editsHeard(bob)
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => alice.edit(id, text)))
  const [stored] = (await bob.inbox()).messages
  t.is(heard.length, 5)
  t.is(heard.at(-1), stored?.text)
})

test('a message sent again with its client id is a repeat also after its edit [D-2]', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const first = await alice.send('bob', 'one', { clientId: 'e-1' })
  await alice.edit(first.id, 'two')
  await alice.edit(first.id, 'three')
  t.deepEqual(await alice.send('bob', 'one', { clientId: 'e-1' }), { ...first, repeat: true })
  t.is(await refusal(t, alice.send('bob', 'two', { clientId: 'e-1' })), 'client_id_reused')
  t.deepEqual(texts((await bob.inbox()).messages), ['three'])
})

test('an edit in a group is announced to those members who could read the message, and counts stay', async (t) => {
  const { alice, bob, carol, dave } = await people(t, 'alice', 'bob', 'carol', 'dave')
  await alice.request(CreateRoom, GROUP)
  for (const member of [bob, carol]) await member.request(JoinRoom, GROUP)
  const { id } = await bob.send(GROUP, 'buidl broke')
  await dave.request(JoinRoom, GROUP)
  t.is(await refusal(t, alice.edit(id, 'not even the owner')), 'no_message')
  const outside = editsHeard(dave)
  const hearing = [alice, carol].map((client) => nextPush(client, MessageEdited))
  await bob.edit(id, 'build broke')
  for (const told of await Promise.all(hearing))
    t.like(told, { id, from: 'bob', to: '', group: 'ops', text: 'build broke' })
  const { groups } = await carol.request(QueryRooms, {})
  t.is(groups[0]?.unread, 1)
  t.deepEqual(texts((await carol.groupHistory('ops')).messages), ['build broke'])
  await dave.inbox()
  t.deepEqual(outside, [])
})

test('an edit is refused where its sender may not write any more', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  await alice.request(CreateRoom, GROUP)
  await bob.request(JoinRoom, GROUP)
  const [inGroup, inPrivate] = [await bob.send(GROUP, 'one'), await bob.send('alice', 'two')]
  await bob.request(LeaveRoom, GROUP)
  t.is(await refusal(t, bob.edit(inGroup.id, 'shouted from outside')), 'not_member')
  await alice.request(BlockUser, { user: 'bob' })
  t.is(await refusal(t, bob.edit(inPrivate.id, 'shouted from outside')), 'blocked')
  t.deepEqual(texts((await alice.history('bob')).messages), ['two'])
})

test('a text that is too long is refused, an empty one too', async (t) => {
  const stage = await startLocalServer(t, { limits: { text: 10 } })
  const [alice] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'short')
  await alice.edit(id, '0123456789')
  t.is(await refusal(t, alice.edit(id, '0123456789a')), 'too_large')
  await t.throwsAsync(alice.edit(id, ''))
})

test('a message that waits for room is pushed with its new text [D-4] [D-13]', async (t) => {
  const stage = await startLocalServer(t, { limits: { unacknowledged: 1 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  await bob.receive()
  const first = nextPush(bob, OnNewMessage)
  const one = await alice.send('bob', 'one')
  await first
  const waiting = await alice.send('bob', 'tow')
  const next = nextPush(bob, OnNewMessage)
  await alice.edit(waiting.id, 'two')
  await bob.acknowledge({ from: 'alice', id: one.id })
  t.like((await next).messages[0], { id: waiting.id, text: 'two' })
})

test('a message that waits in the client is read with its new text', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const sent = [await alice.send('bob', 'one'), await alice.send('bob', 'tow')]
  const reading = bob.messages({ acknowledge: false })
  const first = await reading.next()
  const told = nextPush(bob, MessageEdited)
  await alice.edit((sent[1] as { id: number }).id, 'two')
  const { editedAt } = await told
  const second = await reading.next()
  t.deepEqual(
    [first, second].map(({ value }) => (value as ChatMessage).text),
    ['one', 'two'],
  )
  t.deepEqual((second.value as ChatMessage).editedAt, new Date(editedAt))
})

test('an edit by the operator as Alice is audited with the id of the message, without its text', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'plain words')
  const operator = await stage.operator()
  await operator.actAs('alice')
  const told = Promise.all([nextPush(alice, MessageEdited), nextPush(bob, MessageEdited)])
  await operator.edit(id, 'secret words')
  await told
  const audit = await readFile(dataPaths(stage.data).audit, 'utf8')
  t.like(JSON.parse(audit.trim().split('\n').at(-1) ?? ''), { event: 'edit_message', by: 'operator', as: 'alice', id })
  t.notRegex(audit, /secret words/)
})
