import test from 'ava'
import {
  AddFriend,
  AddFriendRequest,
  AddFriendResult,
  BlockUser,
  type Client,
  ConfirmFriendRequest,
  DeleteFriend,
  FriendDeleted,
  FriendList,
  FriendOnOffLine,
  QueryBlockedUsers,
  QueryFriendRequests,
  UnblockUser,
} from '../../client/index.ts'
import { nextPush as hears, refusal } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

const friendsOf = async (client: Client) =>
  (await client.request(FriendList, {})).friends.map(({ user, online }) => `${user} ${online ? 'on' : 'off'}`)

const requestsOf = async (client: Client) =>
  (await client.request(QueryFriendRequests, {})).requests.map(
    ({ user, incoming }) => `${incoming ? 'from' : 'to'} ${user}`,
  )

async function befriend(one: Client, other: Client, names: readonly [string, string]) {
  await one.request(AddFriend, { user: names[1] })
  await other.request(ConfirmFriendRequest, { user: names[0], accept: true })
}

const aliceAndBob = async (server: LocalServer) => [await server.user('alice'), await server.user('bob')] as const

test('when Bob accepts Alice’s request, both are notified and on each other’s list', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  const asked = hears(bob, AddFriendRequest)
  await alice.request(AddFriend, { user: 'Bob', note: 'it is me, 小鹰' })
  t.like(await asked, { user: 'alice', note: 'it is me, 小鹰' })
  t.deepEqual([await requestsOf(alice), await requestsOf(bob)], [['to bob'], ['from alice']])
  t.deepEqual(await friendsOf(alice), [])

  const told = [hears(alice, AddFriendResult), hears(bob, AddFriendResult)]
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.like(await Promise.all(told), { 0: { user: 'bob', accepted: true }, 1: { user: 'alice', accepted: true } })
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [['bob on'], ['alice on']])
  t.deepEqual([await requestsOf(alice), await requestsOf(bob)], [[], []])
})

test('when Bob declines, Alice is notified and may ask again', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.request(AddFriend, { user: 'bob' })
  const told = hears(alice, AddFriendResult)
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: false })
  t.like(await told, { user: 'bob', accepted: false })
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [[], []])
  await alice.request(AddFriend, { user: 'bob' })
  t.deepEqual(await requestsOf(bob), ['from alice'])
})

test('a request waits for Bob while he is offline, also across a restart', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  await (await server.user('bob')).close()
  await alice.request(AddFriend, { user: 'bob', note: 'hello' })
  await server.close()
  const after = await startLocalServer(t, { data: server.data })
  const bob = await after.user('bob')
  const asked = hears(bob, AddFriendRequest)
  await bob.receive()
  t.like(await asked, { user: 'alice', note: 'hello' })
  // A request is not a message: it is not in the inbox, and acknowledging does not answer it.
  t.deepEqual((await bob.inbox()).messages, [])
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.deepEqual(await friendsOf(bob), ['alice off'])
})

test('a request in the other direction accepts the first one', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.request(AddFriend, { user: 'bob' })
  await bob.request(AddFriend, { user: 'alice' })
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [['bob on'], ['alice on']])
  t.deepEqual([await requestsOf(alice), await requestsOf(bob)], [[], []])
})

test('each invalid request has its own failure and changes nothing', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  const answer = (client: Client, user: string) => refusal(t, client.request(AddFriend, { user }))
  t.is(await answer(alice, 'alice'), 'yourself')
  t.is(await answer(alice, 'nobody'), 'user_not_exist')
  t.is(await refusal(t, alice.request(ConfirmFriendRequest, { user: 'bob', accept: true })), 'no_request')
  t.is(await refusal(t, alice.request(DeleteFriend, { user: 'bob' })), 'not_friends')
  t.is(await refusal(t, alice.request(BlockUser, { user: 'alice' })), 'yourself')
  t.is(await refusal(t, alice.request(UnblockUser, { user: 'bob' })), 'not_blocked')
  await alice.request(AddFriend, { user: 'bob' })
  t.is(await answer(alice, 'bob'), 'already_requested')
  t.is(await refusal(t, alice.request(ConfirmFriendRequest, { user: 'bob', accept: true })), 'no_request', 'her own')
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.is(await answer(alice, 'bob'), 'already_friends')
  t.is(await answer(bob, 'alice'), 'already_friends')
  t.deepEqual([await friendsOf(alice), await requestsOf(alice)], [['bob on'], []])
})

test('when Alice deletes Bob, both lists lose the other, history stays, and they may become friends again', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await befriend(alice, bob, ['alice', 'bob'])
  await alice.send('bob', 'bye')
  const told = [hears(alice, FriendDeleted), hears(bob, FriendDeleted)]
  await alice.request(DeleteFriend, { user: 'bob' })
  t.like(await Promise.all(told), { 0: { user: 'bob' }, 1: { user: 'alice' } })
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [[], []])
  t.deepEqual(
    (await bob.inbox()).messages.map(({ text }) => text),
    ['bye'],
  )
  await befriend(bob, alice, ['bob', 'alice'])
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [['bob on'], ['alice on']])
})

test('a blocked user is refused and none of his messages arrives; once unblocked, he may write', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await befriend(alice, bob, ['alice', 'bob'])
  await alice.request(BlockUser, { user: 'bob' })
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [[], []])
  t.deepEqual(
    (await alice.request(QueryBlockedUsers, {})).users.map(({ user }) => user),
    ['bob'],
  )
  t.is(await refusal(t, bob.send('alice', 'why?')), 'blocked')
  t.is(await refusal(t, bob.request(AddFriend, { user: 'alice' })), 'blocked')
  t.is(await refusal(t, alice.request(AddFriend, { user: 'bob' })), 'blocked')
  t.deepEqual((await alice.inbox()).messages, [])
  await alice.send('bob', 'one way is open')
  await alice.request(UnblockUser, { user: 'bob' })
  await bob.send('alice', 'thank you')
  t.deepEqual(
    (await alice.inbox()).messages.map(({ text }) => text),
    ['thank you'],
  )
  t.deepEqual(await friendsOf(alice), [])
})

test('blocking a user closes the open request', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await bob.request(AddFriend, { user: 'alice' })
  await alice.request(BlockUser, { user: 'bob' })
  t.deepEqual([await requestsOf(alice), await requestsOf(bob)], [[], []])
  t.is(await refusal(t, alice.request(ConfirmFriendRequest, { user: 'bob', accept: true })), 'no_request')
})

test('only friends may write unless configured otherwise; bots and operators may write to anyone', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { friends: {} } })
  const [alice, bob] = await aliceAndBob(server)
  t.is(await refusal(t, alice.send('bob', 'hi')), 'not_friends')
  await alice.send('alice', 'a note to oneself')
  await befriend(alice, bob, ['alice', 'bob'])
  await alice.send('bob', 'hi')
  await alice.request(DeleteFriend, { user: 'bob' })
  t.is(await refusal(t, bob.send('alice', 'still there?')), 'not_friends')
  const operator = await server.operator()
  await operator.actAs('alice')
  await operator.send('bob', 'by the operator')
  t.deepEqual(
    (await bob.inbox()).messages.map(({ text }) => text),
    ['hi', 'by the operator'],
  )
})

test('friends are notified of the first session and of the end of the last one, others are not', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  const carol = await server.user('carol')
  await befriend(alice, bob, ['alice', 'bob'])
  carol.on(FriendOnOffLine, () => t.fail('Carol is nobody’s friend'))
  const heard: string[] = []
  let wake = () => {}
  alice.on(FriendOnOffLine, ({ user, online }) => {
    heard.push(`${user} ${online ? 'on' : 'off'}`)
    wake()
  })
  const untilHeard = async (count: number) => {
    while (heard.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  const second = await server.user('bob')
  await second.close()
  await bob.close()
  await untilHeard(1)
  t.deepEqual(await friendsOf(alice), ['bob off'])
  await server.user('bob')
  await untilHeard(2)
  t.deepEqual(heard, ['bob off', 'bob on'])
  t.deepEqual(await friendsOf(alice), ['bob on'])
})

test('the friends and open requests of a user are limited', async (t) => {
  const server = await startLocalServer(t, { limits: { friends: 1, friendRequests: 1 } })
  const [alice, bob] = await aliceAndBob(server)
  const carol = await server.user('carol')
  await alice.request(AddFriend, { user: 'carol' })
  t.is(await refusal(t, alice.request(AddFriend, { user: 'bob' })), 'too_many')
  await carol.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await bob.request(AddFriend, { user: 'alice' })
  t.is(await refusal(t, alice.request(ConfirmFriendRequest, { user: 'bob', accept: true })), 'too_many')
})

test('when a request is blocked and accepted at once, the block holds', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = await aliceAndBob(server)
  await alice.request(AddFriend, { user: 'bob' })
  await Promise.allSettled([
    bob.request(BlockUser, { user: 'alice' }),
    bob.request(ConfirmFriendRequest, { user: 'alice', accept: true }),
  ])
  t.deepEqual([await friendsOf(alice), await friendsOf(bob)], [[], []])
})
