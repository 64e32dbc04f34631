import test from 'ava'
import {
  BlockUser,
  ChatroomMessage,
  CreateRoom,
  DissolveRoom,
  InviteToRoom,
  JoinLeaveChatroom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  QueryRooms,
  QueryRoomUsers,
  RenameRoom,
  RoomInvitation,
  RoomUserOnOffLine,
  SetRoomRole,
} from '../../client/index.ts'
import { SetUserActive } from '../../plugins/index.ts'
import { type TestServer, type TestUser, testServer } from '../../testing/index.ts'
import { seeded } from '../support/endurance/rounds.ts'
import { openRaceServer } from '../support/races/race-server.ts'

const failureOf = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as { failure: string }).failure))

const count = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.filter(({ status }) => status === 'fulfilled').length

async function setActive(server: TestServer, user: string, active: boolean) {
  await (await server.operator()).request(SetUserActive, { user, active })
}

async function inOps(server: TestServer, ...names: string[]): Promise<TestUser[]> {
  const users = await Promise.all(names.map((name) => server.user(name)))
  for (const user of users) await user.joins('ops')
  return users
}

test('concurrent joins fill a group and a user’s list of groups up to the limits', async (t) => {
  await using server = await testServer({ limits: { groupMembers: 4, groupsPerUser: 3 } })
  const [alice] = (await inOps(server, 'alice')) as [TestUser]
  const others = await Promise.all(Array.from({ length: 8 }, (_, n) => server.user(`user${n}`)))
  const joins = await Promise.allSettled(others.map((user) => user.request(JoinRoom, { group: 'ops' })))
  t.is(count(joins), 3)
  const makes = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => alice.request(CreateRoom, { group: `g${n}` })),
  )
  t.is(count(makes), 2)
})

test('after concurrent renames a group has one name, and it refuses kicked members', async (t) => {
  await using server = await testServer()
  const [alice, mallory] = (await inOps(server, 'alice', 'mallory')) as [TestUser, TestUser]
  await alice.request(SetRoomRole, { group: 'ops', user: 'mallory', role: 'admin' })
  for (let round = 0; round < 5; round++) {
    await Promise.allSettled([
      mallory.request(RenameRoom, { group: 'ops', name: 'b' }),
      ...['ops', 'b', 'c'].map((group) => alice.request(QueryRoomUsers, { group })),
      mallory.request(RenameRoom, { group: 'b', name: 'c' }),
      ...['b', 'c'].map((group) => alice.says({ group }, 'which?')),
    ])
    const { groups } = await alice.request(QueryRooms, {})
    t.is(groups.length, 1)
    const name = groups[0]?.group ?? ''
    await alice.request(KickFromRoom, { group: name, user: 'mallory' })
    const writes = await Promise.allSettled(
      ['ops', 'b', 'c'].map((group) => mallory.request(ChatroomMessage, { group, text: 'still here' })),
    )
    t.deepEqual(
      failureOf(writes).filter((outcome) => outcome === 'ok'),
      [],
    )
    await alice.request(RenameRoom, { group: name, name: 'ops' })
    await alice.request(InviteToRoom, { group: 'ops', user: 'mallory' })
    await mallory.request(JoinRoom, { group: 'ops' })
    await alice.request(SetRoomRole, { group: 'ops', user: 'mallory', role: 'admin' })
  }
})

test('a disabled member can be kicked and demoted, and an admin takes over the group of a disabled owner', async (t) => {
  await using server = await testServer()
  const [alice, bob] = (await inOps(server, 'alice', 'bob', 'carol', 'dave')) as [TestUser, TestUser]
  for (const user of ['bob', 'carol']) await alice.request(SetRoomRole, { group: 'ops', user, role: 'admin' })
  await setActive(server, 'dave', false)
  await setActive(server, 'carol', false)
  t.is(
    await alice.refused(alice.request(SetRoomRole, { group: 'ops', user: 'carol', role: 'owner' })),
    'user_not_exist',
  )
  await alice.request(SetRoomRole, { group: 'ops', user: 'carol', role: 'member' })
  await bob.request(KickFromRoom, { group: 'ops', user: 'dave' })
  t.is(await bob.refused(bob.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'owner' })), 'role_too_low')
  await setActive(server, 'alice', false)
  await bob.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'owner' })
  const { members } = await bob.request(QueryRoomUsers, { group: 'ops' })
  t.deepEqual(
    members.map(({ user, role }) => `${user} ${role}`),
    ['alice admin', 'bob owner', 'carol member'],
  )
})

test('an open invitation is sent once, never to a user who blocks the inviter, and the number is limited', async (t) => {
  await using server = await testServer({ limits: { invitationsToOne: 2 } })
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  for (const group of ['one', 'two', 'three']) await alice.request(CreateRoom, { group, open: false })
  const invite = (group: string, user: string) => alice.request(InviteToRoom, { group, user })
  const told: string[] = []
  for (const user of [bob, carol]) user.client.on(RoomInvitation, ({ group }) => told.push(`${user.name} ${group}`))
  await Promise.all(Array.from({ length: 20 }, () => invite('one', 'bob')))
  await invite('two', 'bob')
  t.is(await alice.refused(invite('three', 'bob')), 'too_many')
  await carol.request(BlockUser, { user: 'alice' })
  t.is(await alice.refused(invite('one', 'carol')), 'blocked')
  await bob.request(JoinRoom, { group: 'one' })
  await bob.request(BlockUser, { user: 'alice' })
  t.is(await bob.refused(bob.request(JoinRoom, { group: 'two' })), 'not_invited', 'withdrawn with the block')
  t.deepEqual(told, ['bob one', 'bob two'])
})

test('many accounts cannot keep others from inviting Bob: the oldest invitation is withdrawn', async (t) => {
  await using server = await testServer({ limits: { invitations: 2 } })
  const bob = await server.user('bob')
  for (const name of ['mallory', 'mallet', 'alice']) {
    const user = await server.user(name)
    await user.request(CreateRoom, { group: `of ${name}`, open: false })
    await user.request(InviteToRoom, { group: `of ${name}`, user: 'bob' })
  }
  t.is(await bob.refused(bob.request(JoinRoom, { group: 'of mallory' })), 'not_invited')
  for (const name of ['mallet', 'alice']) await bob.request(JoinRoom, { group: `of ${name}` })
  t.is((await bob.request(QueryRooms, {})).groups.length, 2)
})

test('a kicked member comes back to an open group only by an invitation', async (t) => {
  await using server = await testServer()
  const [alice, mallory, bob] = (await inOps(server, 'alice', 'mallory', 'bob')) as [TestUser, TestUser, TestUser]
  const joins = () => mallory.request(JoinRoom, { group: 'ops' })
  await alice.request(KickFromRoom, { group: 'ops', user: 'mallory' })
  t.is(await mallory.refused(joins()), 'not_invited')
  // An invitation that is withdrawn does not lift it.
  await alice.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'admin' })
  await bob.request(InviteToRoom, { group: 'ops', user: 'mallory' })
  await alice.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'member' })
  t.is(await mallory.refused(joins()), 'not_invited')
  await alice.request(InviteToRoom, { group: 'ops', user: 'mallory' })
  await joins()
  await mallory.request(LeaveRoom, { group: 'ops' })
  await joins()
  t.is((await mallory.request(QueryRooms, {})).groups.length, 1, 'after the invitation, as any other user')
})

test('a member who leaves before being kicked cannot come back either', async (t) => {
  await using server = await testServer()
  const [alice, mallory, bob] = (await inOps(server, 'alice', 'mallory', 'bob')) as [TestUser, TestUser, TestUser]
  const kick = (by: TestUser, user: string) => by.request(KickFromRoom, { group: 'ops', user })
  await mallory.request(LeaveRoom, { group: 'ops' })
  t.is(await bob.refused(kick(bob, 'mallory')), 'role_too_low')
  await kick(alice, 'mallory')
  t.is(await mallory.refused(mallory.request(JoinRoom, { group: 'ops' })), 'not_invited')
  t.is(await alice.refused(kick(alice, 'mallory')), 'not_member', 'nothing is left to end')
  await server.user('carol')
  t.is(await alice.refused(kick(alice, 'carol')), 'not_member', 'Carol was never a member')
  await alice.request(InviteToRoom, { group: 'ops', user: 'mallory' })
  await mallory.request(JoinRoom, { group: 'ops' })
  t.is((await mallory.request(QueryRooms, {})).groups.length, 1)
})

test('a dissolved group frees its name, group creation has a rate, and a private group is hidden', async (t) => {
  await using server = await testServer({ limits: { groupsMade: 3 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  for (let round = 0; round < 3; round++) {
    await alice.request(CreateRoom, { group: 'ops', open: false })
    await alice.request(DissolveRoom, { group: 'ops' })
  }
  t.is(await alice.refused(alice.request(CreateRoom, { group: 'ops' })), 'rate_limited')
  await bob.request(CreateRoom, { group: 'ops', open: false })
  for (const group of ['ops', 'none']) {
    t.is(await alice.refused(alice.request(JoinRoom, { group })), 'group_not_exist')
    t.is(await alice.refused(alice.says({ group }, 'hi')), 'group_not_exist')
    t.is(await alice.refused(alice.request(QueryRoomUsers, { group })), 'group_not_exist')
    t.is(await alice.refused(alice.request(KickFromRoom, { group, user: 'bob' })), 'group_not_exist')
  }
})

test('history and search of a group mark unread messages like the inbox', async (t) => {
  await using server = await testServer()
  const [alice, bob] = (await inOps(server, 'alice', 'bob')) as [TestUser, TestUser]
  for (const text of ['said one', 'said two']) await alice.says({ group: 'ops' }, text)
  await bob.hears('said one')
  const flags = (messages: readonly { text: string; unread: boolean }[]) => messages.map(({ unread }) => unread)
  t.deepEqual(flags((await bob.client.groupHistory('ops')).messages), [false, true])
  t.deepEqual(flags((await bob.client.search('said')).messages), [false, true])
  t.deepEqual(flags((await bob.client.search('said', { group: 'ops' })).messages), [false, true])
  t.deepEqual(flags((await alice.client.groupHistory('ops')).messages), [false, false], 'her own')
})

test('repeated logins and logouts are announced once, then when the state is stable', async (t) => {
  await using server = await testServer()
  const [alice] = (await inOps(server, 'alice', 'bob')) as [TestUser, TestUser]
  await server.clock.advance(10_000)
  const told: boolean[] = []
  alice.client.on(RoomUserOnOffLine, ({ user, online }) => user === 'carol' && told.push(online))
  const carol = await server.user('carol')
  await carol.joins('ops')
  await carol.client.close()
  await server.clock.advance(10_000)
  told.length = 0
  for (let round = 0; round < 10; round++) await (await server.user('carol')).client.close()
  await server.settled()
  t.deepEqual(told, [true])
  await server.clock.advance(2000)
  t.deepEqual(told, [true, false])
  await server.user('carol')
  await server.settled()
  t.deepEqual(told, [true, false])
  await server.clock.advance(2000)
  t.deepEqual(told, [true, false, true])
})

test('no group message reaches a member after the notification of their removal', async (t) => {
  const random = seeded(t)
  const server = await openRaceServer(process.env.TEST_DATABASE)
  t.teardown(() => server.close())
  const { alice, bob, carol } = server.people
  const group = 'ops'
  await alice.on(0).request(CreateRoom, { group })
  await bob.on(0).request(JoinRoom, { group })
  for (let round = 0; round < 25; round++) {
    await alice.on(0).request(InviteToRoom, { group, user: 'carol' })
    await carol.on(0).request(JoinRoom, { group })
    for (let before = 0; before < 3; before++) await bob.on(0).request(ChatroomMessage, { group, text: 'unread' })
    carol.pushes = []
    server.jitter.random = random
    await Promise.all([
      // Reads unread messages from the database meanwhile.
      carol.listener.receive(),
      ...Array.from({ length: 4 }, (_, n) => bob.on(n % 2).request(ChatroomMessage, { group, text: `said ${n}` })),
      round % 2 === 0
        ? carol.on(1).request(LeaveRoom, { group })
        : alice.on(0).request(KickFromRoom, { group, user: 'carol' }),
      bob.on(1).request(ChatroomMessage, { group, text: 'last' }),
    ])
    server.jitter.random = undefined
    for (let turns = 0; turns < 3; turns++) await carol.listener.request(QueryRooms, {})
    const out = carol.pushes.findIndex((push) => push.startsWith(JoinLeaveChatroom.name))
    t.not(out, -1)
    t.deepEqual(carol.pushes.slice(out + 1), [])
  }
})

test('invitations of a user who is kicked, leaves or loses the role admin are withdrawn', async (t) => {
  await using server = await testServer()
  const names = ['alice', 'mallory', 'erin', 'eve', 'mallet']
  const [alice, mallory, erin, eve, mallet] = (await Promise.all(names.map((name) => server.user(name)))) as [
    TestUser,
    TestUser,
    TestUser,
    TestUser,
    TestUser,
  ]
  await alice.request(CreateRoom, { group: 'board', open: false })
  const admin = async (user: TestUser, name: string) => {
    await alice.request(InviteToRoom, { group: 'board', user: name })
    await user.request(JoinRoom, { group: 'board' })
    await alice.request(SetRoomRole, { group: 'board', user: name, role: 'admin' })
  }
  const ends: [TestUser, string, () => Promise<unknown>][] = [
    [mallory, 'mallory', () => alice.request(KickFromRoom, { group: 'board', user: 'mallory' })],
    [erin, 'erin', () => erin.request(LeaveRoom, { group: 'board' })],
    [eve, 'eve', () => alice.request(SetRoomRole, { group: 'board', user: 'eve', role: 'member' })],
  ]
  for (const [user, name, end] of ends) {
    await admin(user, name)
    await user.request(InviteToRoom, { group: 'board', user: 'mallet' })
    await end()
    const [joining] = await Promise.allSettled([mallet.request(JoinRoom, { group: 'board' })])
    t.deepEqual(failureOf([joining]), ['not_invited'], name)
  }
})

test('group names with invisible characters are refused', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  await alice.request(CreateRoom, { group: 'ops' })
  const results = await Promise.allSettled(
    ['ops\u200b', 'ops\u3164', 'ops\u{e0041}', '\u2800ops', 'o\u00adps'].map((group) =>
      alice.request(CreateRoom, { group }),
    ),
  )
  t.deepEqual(new Set(failureOf(results)), new Set(['invalid_name']))
  t.is((await alice.request(CreateRoom, { group: '  小鹰  👩‍💻  ' })).group, '小鹰 👩‍💻')
})
