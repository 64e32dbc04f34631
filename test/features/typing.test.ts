import test from 'ava'
import { createBot } from '../../bot/index.ts'
import {
  AddFriend,
  BlockUser,
  ConfirmFriendRequest,
  CreateRoom,
  type InputOf,
  JoinRoom,
  LeaveRoom,
  Typing,
  UserTyping,
} from '../../client/index.ts'
import { type TestUser, testServer } from '../../testing/index.ts'

const PAUSE_MS = 3000

/** Records the typing notices that a user gets. */
function notices(user: TestUser) {
  const seen: object[] = []
  user.client.on(UserTyping, (notice) => seen.push(notice))
  return seen
}

const types = (user: TestUser, values: InputOf<typeof Typing>) => user.client.request(Typing, values)

test('Bob sees on all his sessions that Alice is writing, and that she has stopped', async (t) => {
  await using server = await testServer()
  const [alice, bob, phone] = [await server.user('alice'), await server.user('bob'), await server.user('bob')]
  const [atDesk, atPhone, own] = [notices(bob), notices(phone), notices(alice)]
  await types(alice, { to: 'Bob' })
  await server.clock.advance(PAUSE_MS)
  await types(alice, { to: 'bob', state: false })
  await server.settled()
  const expected = [true, false].map((state) => ({ from: 'alice', group: '', state }))
  t.deepEqual([atDesk, atPhone, own], [expected, expected, []])
  t.deepEqual((await bob.client.inbox({ all: true })).messages, [], 'nothing is stored')
})

test('in a group the other members see it, and nobody else', async (t) => {
  await using server = await testServer()
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  await alice.client.request(CreateRoom, { group: 'ops' })
  await bob.client.request(JoinRoom, { group: 'ops' })
  const [bobs, carols, own] = [notices(bob), notices(carol), notices(alice)]
  await types(alice, { group: 'ops' })
  await server.settled()
  t.deepEqual([bobs, carols, own], [[{ from: 'alice', group: 'ops', state: true }], [], []])
  t.is(await carol.refused(types(carol, { group: 'ops' })), 'not_member')
  t.is(await carol.refused(types(carol, { group: 'none' })), 'group_not_exist')

  await bob.client.request(LeaveRoom, { group: 'ops' })
  await server.clock.advance(PAUSE_MS)
  await types(alice, { group: 'ops' })
  await server.settled()
  t.is(bobs.length, 1)
})

test('who may not write to Bob does not reach him by typing either', async (t) => {
  await using server = await testServer({ pluginOptions: { friends: { messagesFrom: 'friends' } } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = notices(bob)
  t.is(await alice.refused(types(alice, { to: 'bob' })), 'not_friends')
  t.is(await alice.refused(types(alice, { to: 'nobody' })), 'user_not_exist')
  await alice.client.request(AddFriend, { user: 'bob' })
  await bob.client.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await server.clock.advance(PAUSE_MS)
  await types(alice, { to: 'bob' })
  await bob.client.request(BlockUser, { user: 'alice' })
  await server.clock.advance(PAUSE_MS)
  t.is(await alice.refused(types(alice, { to: 'bob' })), 'blocked')
  await server.settled()
  t.is(seen.length, 1)
})

test('of several notices within 3 s in one conversation the first is pushed', async (t) => {
  await using server = await testServer()
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  const [bobs, carols] = [notices(bob), notices(carol)]
  for (const to of ['bob', 'BOB', 'carol', 'bob']) await types(alice, { to })
  await server.clock.advance(PAUSE_MS - 1)
  await types(alice, { to: 'bob', state: false })
  await server.settled()
  t.deepEqual([bobs.length, carols.length], [1, 1])
  await server.clock.advance(1)
  await types(alice, { to: 'bob', state: false })
  await server.settled()
  t.is(bobs.length, 2)
})

test('a user has a limit over all conversations, since each notice may go to many', async (t) => {
  await using server = await testServer({ limits: { typing: 2, typingPause: 0 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = notices(bob)
  for (let n = 0; n < 5; n++) await types(alice, { to: 'bob' })
  await server.settled()
  t.is(seen.length, 2)
  await server.clock.advance(30_000)
  await types(alice, { to: 'bob' })
  await server.settled()
  t.is(seen.length, 3)
})

test('a session that does not read gets no notices, which would be old when it reads again', async (t) => {
  await using server = await testServer({ limits: { outboundSoft: 32 * 1024 } })
  const alice = await server.user('alice')
  const phone = notices(await server.user('bob'))
  const line = server.stream()
  const desk = await server.connect({ server: line })
  await desk.login('bob', { keys: await server.account('bob') })
  const seen: object[] = []
  desk.on(UserTyping, (notice) => seen.push(notice))
  await desk.receive()
  // More than the streams of any version of Node hold.
  const sent = 40
  line.pause()
  for (let n = 0; n < sent; n++) await alice.says('bob', 'x'.repeat(10_000))
  await types(alice, { to: 'bob' })
  await server.settled()
  t.is(phone.length, 1)
  line.resume()
  let heard = 0
  for await (const _message of desk.messages()) if (++heard === sent) break
  await server.settled()
  t.deepEqual(seen, [])

  await server.clock.advance(PAUSE_MS)
  await types(alice, { to: 'bob' })
  await server.settled()
  t.deepEqual([phone.length, seen.length], [2, 1])
})

test('a notice names a user or a group, and one to oneself goes nowhere', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const seen = notices(alice)
  t.is(await alice.refused(types(alice, {})), 'invalid_value')
  t.is(await alice.refused(types(alice, { to: 'alice', group: 'ops' })), 'invalid_value')
  await types(alice, { to: 'alice' })
  await server.settled()
  t.deepEqual(seen, [])
})

const slow = createBot({ name: 'slow' }).message(async (ctx) => {
  await ctx.typing()
  await ctx.reply('done')
})

test('a bot shows that it is writing', async (t) => {
  await using server = await testServer()
  await server.bot(slow, 'slow')
  const alice = await server.user('alice')
  const seen = notices(alice)
  t.is(await alice.asks('slow', 'work'), 'done')
  t.deepEqual(seen, [{ from: 'slow', group: '', state: true }])
})

test('a bot answers although its notice was refused', async (t) => {
  await using server = await testServer({ without: ['typing'] })
  await server.bot(slow, 'slow')
  t.is(await (await server.user('alice')).asks('slow', 'work'), 'done')
})
