import test, { type ExecutionContext } from 'ava'
import {
  AddFriend,
  type ChatMessage,
  type Client,
  ConfirmFriendRequest,
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
import { nextPush as hears, refusal, texts } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'

/** Receives so many messages, and acknowledges the last of each conversation. */
async function listens(client: Client, count: number, acknowledge = true): Promise<ChatMessage[]> {
  const heard: ChatMessage[] = []
  for await (const message of client.messages({ acknowledge: false })) {
    heard.push(message)
    if (acknowledge) await client.acknowledge(message)
    if (heard.length === count) break
  }
  return heard
}

const unread = async (client: Client) => texts((await client.inbox()).messages)
const groupsOf = async (client: Client) =>
  (await client.request(QueryRooms, {})).groups.map(
    ({ group, role, members, unread }) => `${group} ${role} ${members} ${unread}`,
  )
const membersOf = async (client: Client, group: string) =>
  (await client.request(QueryRoomUsers, { group })).members.map(
    ({ user, role, online }) => `${user} ${role} ${online ? 'on' : 'off'}`,
  )

async function threeInOps(t: ExecutionContext): Promise<[LocalServer, Client, Client, Client]> {
  const server = await startLocalServer(t)
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  await alice.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: 'ops' })
  return [server, alice, bob, carol]
}

test('Alice creates a group; a new member is announced and listed', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.like(await alice.request(CreateRoom, { group: ' 聊天室 1 ' }), { group: '聊天室 1' })
  const told = hears(alice, JoinLeaveChatroom)
  await bob.request(JoinRoom, { group: '聊天室 1' })
  t.like(await told, { group: '聊天室 1', user: 'bob', what: 'joined' })
  t.deepEqual(await membersOf(bob, '聊天室 1'), ['alice owner on', 'bob member on'])
  t.deepEqual(await groupsOf(bob), ['聊天室 1 member 2 0'])
})

test('a group message reaches every other member once', async (t) => {
  const [, alice, bob, carol] = await threeInOps(t)
  const hearing = [listens(bob, 1), listens(carol, 1)]
  const stored = await alice.send({ group: 'ops' }, '大家好 😀', { style: { color: '#00ff00' } })
  for (const [message] of await Promise.all(hearing)) {
    t.like(message, {
      id: stored.id,
      kind: 'group',
      from: 'alice',
      group: 'ops',
      text: '大家好 😀',
      style: { color: '#00ff00' },
    })
    t.is(message?.to, undefined)
  }
  t.deepEqual([await unread(alice), await unread(bob), await unread(carol)], [[], [], []])
})

/** The original's bug: a friend's group message showed up in the private chat. */
for (const away of [false, true]) {
  test(`a friend’s group message stays in the group, ${away ? 'also for offline members' : 'online'}, in both directions`, async (t) => {
    const [server, alice, bob] = await threeInOps(t)
    await alice.request(AddFriend, { user: 'bob' })
    await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
    for (const [from, to, names] of [
      [alice, bob, ['alice', 'bob']],
      [bob, alice, ['bob', 'alice']],
    ] as const) {
      if (away) await to.close()
      await from.send({ group: 'ops' }, `${names[0]} to all`)
      await from.send(names[1], `${names[0]} to ${names[1]}`)
      const reader = away ? await server.user(names[1]) : to
      const heard = await listens(reader, 2)
      t.deepEqual(
        heard.map(({ kind, group, to: recipient, text }) => [kind, group ?? recipient, text]),
        [
          ['group', 'ops', `${names[0]} to all`],
          ['chat', names[1], `${names[0]} to ${names[1]}`],
        ],
      )
      t.false(texts((await reader.history(names[0])).messages).includes(`${names[0]} to all`))
      t.false(texts((await reader.groupHistory('ops')).messages).includes(`${names[0]} to ${names[1]}`))
      if (away) break
    }
  })
}

test('messages sent while Carol is offline stay unread until she acknowledges them on any session', async (t) => {
  const [server, alice, bob, carol] = await threeInOps(t)
  await carol.close()
  await alice.send({ group: 'ops' }, 'one')
  await bob.send({ group: 'ops' }, 'two')
  await alice.send('carol', 'and privately')
  await bob.send({ group: 'ops' }, 'three')
  const [phone, desk] = [await server.user('carol'), await server.user('carol')]
  t.deepEqual(await groupsOf(phone), ['ops member 3 3'])
  t.is(await phone.receive(), 4)
  t.deepEqual(await unread(desk), ['one', 'two', 'and privately', 'three'])
  const [, second] = (await phone.inbox()).messages
  await phone.acknowledge(second as ChatMessage)
  t.deepEqual(await unread(desk), ['and privately', 'three'])
  t.deepEqual(await groupsOf(desk), ['ops member 3 1'])
  t.deepEqual(await groupsOf(alice), ['ops owner 3 2'], 'her own messages are not unread')
})

test('a new member reads messages since their entry, or all where the group allows it', async (t) => {
  const [server, alice] = await threeInOps(t)
  await alice.request(CreateRoom, { group: 'archive', allHistory: true })
  for (const group of ['ops', 'archive']) await alice.send({ group }, 'before')
  const dave = await server.user('dave')
  for (const group of ['ops', 'archive']) await dave.request(JoinRoom, { group })
  t.deepEqual(await unread(dave), [])
  for (const group of ['ops', 'archive']) await alice.send({ group }, 'after')
  t.deepEqual(texts((await dave.groupHistory('ops')).messages), ['after'])
  t.deepEqual(texts((await dave.groupHistory('archive')).messages), ['before', 'after'])
  t.deepEqual(await groupsOf(dave), ['archive member 2 1', 'ops member 4 1'])
})

test('when Bob leaves and rejoins, he receives nothing in between, and his row is reused', async (t) => {
  const [, alice, bob] = await threeInOps(t)
  await alice.send({ group: 'ops' }, 'unread when he leaves')
  await bob.request(LeaveRoom, { group: 'ops' })
  t.deepEqual([await groupsOf(bob), await unread(bob)], [[], []])
  await alice.send({ group: 'ops' }, 'while he is out')
  t.is(await refusal(t, bob.send({ group: 'ops' }, 'hello?')), 'not_member')
  t.is(await refusal(t, bob.groupHistory('ops')), 'not_member')
  t.is(await refusal(t, bob.request(QueryRoomUsers, { group: 'ops' })), 'not_member')
  await bob.request(JoinRoom, { group: 'ops' })
  t.deepEqual(await membersOf(bob, 'ops'), ['alice owner on', 'bob member on', 'carol member on'])
  t.deepEqual(await unread(bob), [])
  await alice.send({ group: 'ops' }, 'welcome back')
  t.deepEqual(texts((await bob.groupHistory('ops')).messages), ['welcome back'])
})

test('a closed group accepts invited users only', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  await alice.request(CreateRoom, { group: 'secret', open: false })
  t.is(await refusal(t, bob.request(JoinRoom, { group: 'secret' })), 'group_not_exist')
  const invited = hears(bob, RoomInvitation)
  await alice.request(InviteToRoom, { group: 'secret', user: 'bob' })
  t.deepEqual(await invited, { group: 'secret', by: 'alice' })
  await bob.request(JoinRoom, { group: 'secret' })
  t.is(await refusal(t, bob.request(InviteToRoom, { group: 'secret', user: 'carol' })), 'role_too_low')
  t.is(await refusal(t, carol.request(JoinRoom, { group: 'secret' })), 'group_not_exist')
  await bob.request(LeaveRoom, { group: 'secret' })
  t.is(await refusal(t, bob.request(JoinRoom, { group: 'secret' })), 'not_invited', 'an invitation is used up')
})

test('roles decide on kicking, promoting, renaming, handing over and dissolving', async (t) => {
  const [server, alice, bob, carol] = await threeInOps(t)
  t.is(await refusal(t, bob.request(KickFromRoom, { group: 'ops', user: 'carol' })), 'role_too_low')
  t.is(await refusal(t, bob.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'admin' })), 'role_too_low')
  t.is(await refusal(t, alice.request(LeaveRoom, { group: 'ops' })), 'owner_must_stay')
  await alice.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'admin' })
  t.is(await refusal(t, bob.request(KickFromRoom, { group: 'ops', user: 'alice' })), 'role_too_low')
  const told = hears(carol, JoinLeaveChatroom)
  await bob.request(KickFromRoom, { group: 'ops', user: 'carol' })
  t.like(await told, { user: 'carol', what: 'kicked' })
  t.is(await refusal(t, carol.send({ group: 'ops' }, 'hey')), 'not_member')
  await bob.request(RenameRoom, { group: 'ops', name: 'operations' })
  t.is(await refusal(t, bob.send({ group: 'ops' }, 'hi')), 'group_not_exist')
  t.is(await refusal(t, bob.request(DissolveRoom, { group: 'operations' })), 'role_too_low')
  await alice.request(SetRoomRole, { group: 'operations', user: 'bob', role: 'owner' })
  t.deepEqual(await membersOf(alice, 'operations'), ['alice admin on', 'bob owner on'])
  await alice.request(LeaveRoom, { group: 'operations' })
  await bob.request(DissolveRoom, { group: 'operations' })
  t.deepEqual(await groupsOf(bob), [])
  t.is(await refusal(t, bob.send({ group: 'operations' }, 'hi')), 'group_not_exist')
  t.is(await refusal(t, (await server.user('dave')).request(JoinRoom, { group: 'operations' })), 'group_not_exist')
})

test('group names are validated and unique', async (t) => {
  const [, alice, bob] = await threeInOps(t)
  const create = (group: string) => refusal(t, bob.request(CreateRoom, { group }))
  t.is(await create('ops'), 'group_exists')
  for (const wrong of ['   ', '长'.repeat(31)]) t.is(await create(wrong), 'invalid_name')
  await bob.request(CreateRoom, { group: '长'.repeat(30) })
  await bob.request(CreateRoom, { group: 'OPS' })
  t.is(await refusal(t, alice.request(RenameRoom, { group: 'ops', name: 'OPS' })), 'group_exists')
  t.is(await refusal(t, bob.request(JoinRoom, { group: 'ops' })), 'already_member')
  t.is(await refusal(t, bob.request(JoinRoom, { group: "o' or 1=1 --" })), 'group_not_exist')
})

test('members are notified of joins and leaves, and all receive concurrent messages in one order', async (t) => {
  const [server, alice, bob, carol] = await threeInOps(t)
  const gone = hears(alice, RoomUserOnOffLine)
  await carol.close()
  t.like(await gone, { group: 'ops', user: 'carol', online: false })
  await Promise.all(Array.from({ length: 60 }, (_, n) => (n % 2 ? alice : bob).send({ group: 'ops' }, String(n))))
  const back = await server.user('carol')
  const heard = await listens(back, 60)
  const order = texts(heard)
  t.deepEqual(texts((await alice.groupHistory('ops', { limit: 100 })).messages), order)
  t.deepEqual(texts((await bob.groupHistory('ops', { limit: 100 })).messages), order)
  t.deepEqual(
    order.filter((text) => Number(text) % 2 === 1),
    Array.from({ length: 30 }, (_, n) => String(2 * n + 1)),
  )
})

test('a group message resent with its client id is stored once', async (t) => {
  const [, alice, bob] = await threeInOps(t)
  const [first, second] = await Promise.all([1, 2].map(() => alice.send({ group: 'ops' }, 'once', { clientId: 'x' })))
  t.is(first?.id, second?.id)
  t.deepEqual([first?.repeat, second?.repeat], [false, true])
  t.is(await refusal(t, alice.send('bob', 'once', { clientId: 'x' })), 'client_id_reused')
  t.deepEqual(await groupsOf(bob), ['ops member 3 1'])
})

test('members of a group and groups of a user are limited', async (t) => {
  const server = await startLocalServer(t, { limits: { groupMembers: 2, groupsPerUser: 1 } })
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  await alice.request(CreateRoom, { group: 'small' })
  await bob.request(JoinRoom, { group: 'small' })
  t.is(await refusal(t, carol.request(JoinRoom, { group: 'small' })), 'too_many')
  t.is(await refusal(t, bob.request(CreateRoom, { group: 'another' })), 'too_many')
})

test('when Bob listens to groups only, private messages wait unread, however many there are', async (t) => {
  const [, alice, bob] = await threeInOps(t)
  for (let n = 0; n < 120; n++) await alice.send('bob', `private ${n}`)
  await alice.send({ group: 'ops' }, 'to all')
  for await (const { text } of bob.messages({ kind: 'group' })) {
    t.is(text, 'to all')
    break
  }
  t.is((await bob.inbox({ limit: 100 })).messages.length, 100)
})

test('Bob, kicked with a full window, still receives his other messages', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 3 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const hearing = bob.messages({ acknowledge: false })
  for (const text of ['one', 'two', 'three']) await alice.send({ group: 'ops' }, text)
  for (const text of ['one', 'two', 'three']) t.is((await hearing.next()).value?.text, text)
  await alice.request(KickFromRoom, { group: 'ops', user: 'bob' })
  await alice.send('bob', 'sorry')
  t.is((await hearing.next()).value?.text, 'sorry')
})

test('when a group is handed over and the new owner kicked at once, it has one owner', async (t) => {
  const [, alice] = await threeInOps(t)
  await Promise.allSettled([
    alice.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'owner' }),
    alice.request(SetRoomRole, { group: 'ops', user: 'carol', role: 'owner' }),
    alice.request(KickFromRoom, { group: 'ops', user: 'bob' }),
  ])
  // In either order of commits Alice is still a member, and the group has an owner.
  const members = await membersOf(alice, 'ops')
  t.is(members.filter((line) => line.includes(' owner ')).length, 1, members.join(', '))
})

test('a member who joins during a conversation receives every message since the entry', async (t) => {
  const [server, alice] = await threeInOps(t)
  const dave = await server.user('dave')
  const hearing = dave.messages({ acknowledge: false })
  const first = hearing.next()
  const sending = Array.from({ length: 40 }, (_, n) => alice.send({ group: 'ops' }, String(n)))
  await Promise.all([...sending, dave.request(JoinRoom, { group: 'ops' })])
  await alice.send({ group: 'ops' }, 'last')
  const theirs = await unread(dave)
  const heard = new Set([(await first).value?.text])
  while (!heard.has('last')) heard.add((await hearing.next()).value?.text)
  t.deepEqual([...heard], theirs)
})
