import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import {
  AddFriend,
  type Client,
  ConfirmFriendRequest,
  ContactChanged,
  ContactGone,
  ConversationRead,
  CreateRoom,
  DeleteFriend,
  JoinRoom,
  LeaveRoom,
  QueryContacts,
  RenameRoom,
} from '../../client/index.ts'
import type { UserSession } from '../../core/index.ts'
import { Watchers } from '../../plugins/contacts/watchers.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { nextPush } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

/** The list in readable form. */
const listOf = async (client: Client) =>
  (await client.request(QueryContacts, {})).contacts.map(
    ({ kind, name, online, friend, unread, lastFrom, lastText }) =>
      `${kind === 4 ? '#' : ''}${name} ${kind === 4 ? '' : friend ? (online ? 'on ' : 'off ') : 'stranger '}${unread}` +
      (lastText && ` ${lastFrom}: ${lastText}`),
  )

async function befriend(one: Client, other: Client, names: readonly [string, string]) {
  await one.request(AddFriend, { user: names[1] })
  await other.request(ConfirmFriendRequest, { user: names[0], accept: true })
}

const aliceAndBob = async (server: LocalServer) => {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await befriend(alice, bob, ['alice', 'bob'])
  return [alice, bob] as const
}

/** Waits until a session has received the expected values, over any number of pushes. */
function watching(client: Client) {
  const heard: string[] = []
  let wake = () => {}
  client.on(ContactChanged, ({ contacts }) => {
    for (const { name, unread, online, lastText } of contacts) heard.push(`${name} ${unread} ${online} ${lastText}`)
    wake()
  })
  client.on(ContactGone, ({ kind }) => {
    heard.push(`gone ${kind}`)
    wake()
  })
  return async (expected: string) => {
    while (!heard.includes(expected))
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

test('one reply lists friends and groups with presence, unread count and last message, newest first', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  const carol = await server.user('carol')
  await befriend(alice, carol, ['alice', 'carol'])
  await alice.request(CreateRoom, { group: '聊天室' })
  await bob.request(JoinRoom, { group: '聊天室' })
  t.deepEqual(await listOf(alice), ['bob on 0', 'carol on 0', '#聊天室 0'])
  await bob.send('alice', 'first line\nsecond')
  await bob.send({ group: '聊天室' }, '大家好 😀')
  await alice.send('carol', 'hello')
  await carol.close()
  await alice.request(QueryContacts, {})
  t.deepEqual((await listOf(alice)).slice(1), ['#聊天室 1 bob: 大家好 😀', 'bob on 1 bob: first line second'])
  t.is((await alice.request(QueryContacts, {})).unread, 2)
  await bob.send('alice', '👨‍👩‍👧‍👦'.repeat(100))
  await carol.close()
  const [newest] = (await alice.request(QueryContacts, {})).contacts
  t.is(newest?.lastText, '👨‍👩‍👧‍👦'.repeat(16), 'as many whole items as fit')
  await bob.send('alice', '长'.repeat(100))
  t.is((await alice.request(QueryContacts, {})).contacts[0]?.lastText, '长'.repeat(80))
})

test.serial('a preview of a long text segments its beginning only, and cuts no character in two', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const segmented: number[] = []
  const { segment } = Intl.Segmenter.prototype
  Intl.Segmenter.prototype.segment = function (text) {
    segmented.push(text.length)
    return segment.call(this, text)
  }
  t.teardown(() => {
    Intl.Segmenter.prototype.segment = segment
  })
  for (const [text, preview] of [
    ['a'.repeat(16_000), 'a'.repeat(80)],
    [`é${'a'.repeat(16_000)}`, `é${'a'.repeat(79)}`],
    ['😀'.repeat(4000), '😀'.repeat(80)],
    [`x${'👨‍👩‍👧‍👦'.repeat(600)}`, `x${'👨‍👩‍👧‍👦'.repeat(15)}`],
    // One character of 16,001 bytes.
    [`a${'\u0301'.repeat(8000)}`, ''],
    [`ok a${'\u0301'.repeat(7000)}`, 'ok '],
  ] as const) {
    await alice.send('alice', text)
    t.is((await alice.request(QueryContacts, {})).contacts[0]?.lastText, preview)
  }
  t.true(segmented.length > 0 && Math.max(...segmented) < 500, String(Math.max(...segmented)))
})

test('a read position reaches the user’s other session and the sender at once', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  const phone = await server.user('bob')
  const { id } = await alice.send('bob', 'read me')
  const told = [nextPush(phone, ConversationRead), nextPush(alice, ConversationRead)]
  await bob.acknowledge({ from: 'alice', id })
  const notice = { reader: 'bob', from: 'alice', group: '', upTo: id }
  t.deepEqual(await Promise.all(told), [notice, notice])
  alice.on(ConversationRead, () => t.fail('nothing new was read'))
  await bob.acknowledge({ from: 'alice', id })
  t.deepEqual(await listOf(phone), ['alice on 0 alice: read me'])
})

test('with read receipts off, only the user’s own sessions get read positions', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { messages: { readReceipts: false } } })
  const [alice, bob] = await aliceAndBob(server)
  const phone = await server.user('bob')
  alice.on(ConversationRead, () => t.fail('Bob did not want that'))
  const { id } = await alice.send('bob', 'read me')
  const told = nextPush(phone, ConversationRead)
  await bob.acknowledge({ from: 'alice', id })
  t.is((await told).upTo, id)
  await alice.inbox()
})

test('a read position in a group reaches the user’s own sessions', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const phone = await server.user('bob')
  const { id } = await alice.send({ group: 'ops' }, 'one')
  await alice.send({ group: 'ops' }, 'two')
  const told = nextPush(phone, ConversationRead)
  await bob.acknowledge({ from: 'alice', group: 'ops', id })
  t.deepEqual(await told, { reader: 'bob', from: '', group: 'ops', upTo: id })
  t.deepEqual(await listOf(phone), ['#ops 1 alice: two'])
})

test('a watcher is notified of every change', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.request(QueryContacts, { watch: true })
  const sees = watching(alice)
  const { id } = await bob.send('alice', 'one')
  await sees('bob 1 true one')
  await alice.acknowledge({ from: 'bob', id })
  await sees('bob 0 true one')
  await bob.close()
  await sees('bob 0 false one')
  const back = await server.user('bob')
  await sees('bob 0 true one')
  await alice.request(CreateRoom, { group: 'ops' })
  await sees('ops 0 false ')
  await alice.request(RenameRoom, { group: 'ops', name: 'operations' })
  await sees('operations 0 false ')
  await back.request(JoinRoom, { group: 'operations' })
  await back.request(QueryContacts, { watch: true })
  const bobSees = watching(back)
  await alice.send({ group: 'operations' }, 'hi')
  await bobSees('operations 1 false hi')
  await back.request(LeaveRoom, { group: 'operations' })
  await bobSees('gone 4')
  await alice.request(DeleteFriend, { user: 'bob' })
  await sees('gone 1')
  await bobSees('gone 1')
  t.deepEqual(await listOf(back), [])
})

test('a deleted friend stays on the list as a stranger while a message of theirs is unread', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.send('bob', 'one')
  const { id } = await alice.send('bob', 'two')
  await alice.request(DeleteFriend, { user: 'bob' })
  t.deepEqual(await listOf(alice), [])
  t.deepEqual(await listOf(bob), ['alice stranger 2 alice: two'])
  t.is((await bob.inbox()).messages.length, 2)
  await bob.acknowledge({ from: 'alice', id })
  t.deepEqual(await listOf(bob), [])
})

test('after leaving and rejoining a group, earlier messages are not unread', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'unread when he leaves')
  t.deepEqual(await listOf(bob), ['#ops 1 alice: unread when he leaves'])
  await bob.request(LeaveRoom, { group: 'ops' })
  t.deepEqual(await listOf(bob), [])
  await alice.send({ group: 'ops' }, 'meanwhile')
  await bob.request(JoinRoom, { group: 'ops' })
  t.deepEqual(await listOf(bob), ['#ops 0'])
  await alice.send({ group: 'ops' }, 'welcome back')
  t.deepEqual(await listOf(bob), ['#ops 1 alice: welcome back'])
})

test('counts and positions are the same after a restart', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  for (const text of ['one', 'two', 'three']) await alice.send('bob', text)
  for (const text of ['a', 'b']) await alice.send({ group: 'ops' }, text)
  const [first] = (await bob.inbox()).messages
  await bob.acknowledge(first as NonNullable<typeof first>)
  const before = await listOf(bob)
  t.deepEqual(before, ['#ops 2 alice: b', 'alice on 2 alice: three'])
  await server.close()
  const after = await startLocalServer(t, { data: server.data })
  t.deepEqual(
    await listOf(await after.user('bob')),
    before.map((line) => line.replace('on', 'off')),
  )
})

test('10,000 unread messages are counted and delivered in pages of bounded size', async (t) => {
  const server = await startLocalServer(t, { limits: { requestBurst: 20_000, requestRate: 20_000 } })
  const [alice, bob] = await aliceAndBob(server)
  const COUNT = 10_000
  await Promise.all(Array.from({ length: COUNT }, (_, n) => alice.send('bob', String(n))))
  t.deepEqual(await listOf(bob), [`alice on 1000 alice: ${COUNT - 1}`])
  let expected = 0
  let sincePush = 0
  for await (const message of bob.messages({ acknowledge: false })) {
    if (message.text !== String(expected)) return t.fail(`${message.text} instead of ${expected}`)
    expected++
    // Acknowledges a hundred at a time, within the server's window.
    if (++sincePush === 100 || expected === COUNT) {
      await bob.acknowledge(message)
      sincePush = 0
    }
    if (expected === COUNT) break
  }
  t.deepEqual(await listOf(bob), [`alice on 0 alice: ${COUNT - 1}`])
  t.deepEqual((await bob.inbox()).messages, [])
})

test('a change of a group is loaded for two watching members at a time, with the changes made while they waited', async (t) => {
  const clock = new TestClock()
  const loading: { readonly userId: number; readonly groups: readonly number[]; readonly finish: () => void }[] = []
  const loaded: string[] = []
  let most = 0
  const watchers = new Watchers(
    clock,
    (userId, _sessions, { groups }) =>
      new Promise((resolve) => {
        loading.push({ userId, groups: [...groups], finish: resolve })
        most = Math.max(most, loading.length)
      }),
    (error) => t.fail(String(error)),
  )
  const users = [1, 2, 3, 4, 5]
  for (const id of users) watchers.add({ user: { id }, closed: new Promise(() => {}) } as unknown as UserSession)
  watchers.groupChanged(users, 7)
  await clock.advance(200)
  watchers.groupChanged([5], 8)
  while (loaded.length < users.length) {
    const done = loading.shift()
    if (done === undefined) {
      await nextTurn()
      continue
    }
    loaded.push(`${done.userId}: ${done.groups.join()}`)
    done.finish()
    await nextTurn()
  }
  t.deepEqual(loaded, ['1: 7', '2: 7', '3: 7', '4: 7', '5: 7,8'])
  t.is(most, 2)
  watchers.stop()
})
