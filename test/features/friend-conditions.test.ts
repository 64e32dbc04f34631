import test from 'ava'
import {
  AddFriend,
  AddFriendRequest,
  BlockUser,
  ConfirmFriendRequest,
  FriendList,
  QueryBlockedUsers,
  QueryFriendRequests,
} from '../../client/index.ts'
import { SetUserActive } from '../../plugins/index.ts'
import { type TestUser, testServer } from '../../testing/index.ts'
import { seeded } from '../support/endurance/rounds.ts'
import { openRaceServer } from '../support/races/race-server.ts'

test('concurrent identical friend requests are one with one notification', async (t) => {
  await using server = await testServer({ limits: { friendRequests: 3 } })
  const bob = await server.user('bob')
  const askers = await Promise.all(Array.from({ length: 3 }, (_, n) => server.user(`user${n}`)))
  const told: string[] = []
  bob.client.on(AddFriendRequest, ({ user }) => told.push(user))
  const ask = (user: TestUser) =>
    Promise.allSettled(Array.from({ length: 30 }, () => user.request(AddFriend, { user: 'bob' })))
  const asked = (await Promise.all(askers.map(ask))).flat()
  t.is(asked.filter(({ status }) => status === 'fulfilled').length, 3)
  await server.settled()
  const { requests } = await bob.request(QueryFriendRequests, {})
  t.deepEqual(requests.map(({ user }) => user).sort(), [...told].sort())
  t.is(new Set(told).size, 3)
})

test('many accounts cannot keep others from asking Bob: the oldest request is dropped, and may be sent again', async (t) => {
  await using server = await testServer({ limits: { friendRequests: 2 } })
  const bob = await server.user('bob')
  const askers = await Promise.all(['mallory', 'mallet', 'alice'].map((name) => server.user(name)))
  const [mallory, , alice] = askers as [TestUser, TestUser, TestUser]
  for (const user of askers) await user.request(AddFriend, { user: 'bob' })
  const waiting = async () => (await bob.request(QueryFriendRequests, {})).requests.map(({ user }) => user)
  t.deepEqual(await waiting(), ['mallet', 'alice'])
  t.is(
    await bob.refused(bob.request(ConfirmFriendRequest, { user: 'mallory', accept: true })),
    'no_request',
    'what was dropped cannot be accepted',
  )
  await mallory.request(AddFriend, { user: 'bob' })
  t.deepEqual(await waiting(), ['alice', 'mallory'])
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.is((await alice.request(FriendList, {})).friends.length, 1)
})

test('concurrent friend requests and blocks of a user stay within the limits', async (t) => {
  await using server = await testServer({ limits: { friendRequests: 2, blocks: 2 } })
  const mallory = await server.user('mallory')
  const names = await Promise.all(Array.from({ length: 8 }, async (_, n) => (await server.user(`user${n}`)).name))
  await Promise.allSettled(names.map((user) => mallory.request(AddFriend, { user })))
  t.is((await mallory.request(QueryFriendRequests, {})).requests.length, 2)
  const blocks = await Promise.allSettled(names.map((user) => mallory.request(BlockUser, { user })))
  t.is(blocks.filter(({ status }) => status === 'fulfilled').length, 2)
  t.is((await mallory.request(QueryBlockedUsers, {})).users.length, 2)
})

test('a disabled account’s request can be declined and the account blocked, but it cannot become a friend', async (t) => {
  await using server = await testServer()
  const [alice, mallory, operator] = [await server.user('alice'), await server.user('mallory'), await server.operator()]
  await mallory.request(AddFriend, { user: 'alice' })
  await operator.request(SetUserActive, { user: 'mallory', active: false })
  const answer = (accept: boolean) => alice.request(ConfirmFriendRequest, { user: 'mallory', accept })
  t.is(await alice.refused(answer(true)), 'user_not_exist')
  await answer(false)
  t.deepEqual((await alice.request(QueryFriendRequests, {})).requests, [])
  await alice.request(BlockUser, { user: 'mallory' })
  await operator.request(SetUserActive, { user: 'mallory', active: true })
  const again = await server.user('mallory')
  t.is(await again.refused(again.request(AddFriend, { user: 'alice' })), 'blocked')
})

test('concurrent requests of two users make them friends; a request concurrent with a block does not remain open', async (t) => {
  const random = seeded(t)
  const server = await openRaceServer(process.env.TEST_DATABASE)
  t.teardown(() => server.close())
  const { carol, dave, alice, bob } = server.people
  server.jitter.random = random
  await Promise.all([
    carol.on(0).request(AddFriend, { user: 'dave' }),
    dave.on(0).request(AddFriend, { user: 'carol' }),
    Promise.allSettled([
      alice.on(0).request(AddFriend, { user: 'bob' }),
      bob.on(0).request(BlockUser, { user: 'alice' }),
    ]),
  ])
  t.deepEqual(
    (await carol.on(0).request(FriendList, {})).friends.map(({ user }) => user),
    ['dave'],
  )
  for (const person of [carol, dave, alice, bob])
    t.deepEqual((await person.on(0).request(QueryFriendRequests, {})).requests, [], person.name)
})
