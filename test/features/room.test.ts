import test from 'ava'
import {
  AddFriend,
  AddFriendRequest,
  AddFriendResult,
  BlockUser,
  Broadcast,
  type Client,
  ConfirmFriendRequest,
  ConversationRead,
  CreateRoom,
  DeleteFriend,
  DissolveRoom,
  FriendList,
  FriendOnOffLine,
  InviteToRoom,
  JoinLeaveChatroom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  QueryContacts,
  QueryRoomUsers,
  RenameRoom,
  RoomInvitation,
  RoomUserOnOffLine,
  SetRoomRole,
  UnblockUser,
} from '../../client/index.ts'
import { KickUser } from '../../plugins/admin/messages.ts'
import { nextPush as hears, refusal, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

/** The next messages, each acknowledged. */
async function reads(client: Client, count: number): Promise<string[]> {
  const read: string[] = []
  for await (const message of client.messages({ acknowledge: false })) {
    read.push(`${message.group ? `#${message.group} ` : ''}${message.from}: ${message.text}`)
    await client.acknowledge(message)
    if (read.length === count) break
  }
  return read
}

const contactsOf = async (client: Client) =>
  (await client.request(QueryContacts, {})).contacts.map(
    ({ kind, name, unread }) => `${kind === 4 ? '#' : ''}${name} ${unread}`,
  )

test('a day on the server: Alice, Bob, Carol, Dave and Eve use every feature', async (t) => {
  // The default: only friends may write to each other.
  const server = await startLocalServer(t, { pluginOptions: { friends: {} } })
  const [alice, bob, carol, dave] = await Promise.all(
    ['alice', 'bob', 'carol', 'dave'].map((name) => server.user(name)),
  )
  if (!alice || !bob || !carol || !dave) return t.fail()
  let eve = await server.user('eve')
  const operator = await server.operator()

  t.log('Morning: strangers become friends, or not.')
  t.is(await refusal(t, alice.send('bob', 'hi')), 'not_friends')
  const asked = hears(bob, AddFriendRequest)
  await alice.request(AddFriend, { user: 'bob', note: 'from the 聊天室' })
  t.like(await asked, { user: 'alice', note: 'from the 聊天室' })
  const answered = [hears(alice, AddFriendResult), hears(bob, AddFriendResult)]
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.like(await Promise.all(answered), [{ accepted: true }, { accepted: true }])
  await carol.request(AddFriend, { user: 'alice' })
  await alice.request(AddFriend, { user: 'carol' })
  await eve.close()
  await dave.request(AddFriend, { user: 'eve' })
  eve = await server.user('eve')
  const waiting = hears(eve, AddFriendRequest)
  await eve.receive()
  t.like(await waiting, { user: 'dave' })
  await eve.request(ConfirmFriendRequest, { user: 'dave', accept: false })
  t.is(await refusal(t, dave.send('eve', 'please')), 'not_friends')
  t.deepEqual(
    (await alice.request(FriendList, {})).friends.map(({ user, online }) => [user, online]),
    [
      ['bob', true],
      ['carol', true],
    ],
  )

  t.log('They talk; Bob sees it on two screens and reads it on one.')
  const phone = await server.user('bob')
  const seen = [hears(alice, ConversationRead), hears(phone, ConversationRead)]
  const first = await alice.send('bob', '你好 😀\nline two', {
    style: { font: '宋体', fontSize: 14, color: '#ff0000' },
  })
  t.deepEqual(await contactsOf(bob), ['alice 1'])
  t.deepEqual(await reads(bob, 1), ['alice: 你好 😀\nline two'])
  for (const notice of await Promise.all(seen)) t.like(notice, { reader: 'bob', from: 'alice', upTo: first.id })
  t.deepEqual(await contactsOf(phone), ['alice 0'])
  t.deepEqual((await bob.history('alice')).messages[0]?.style, { font: '宋体', fontSize: 14, color: '#ff0000' })

  t.log('A group: by invitation, with roles.')
  await alice.request(CreateRoom, { group: '运维 ops', open: false })
  t.is(await refusal(t, bob.request(JoinRoom, { group: '运维 ops' })), 'group_not_exist')
  for (const [client, user] of [
    [bob, 'bob'],
    [carol, 'carol'],
    [dave, 'dave'],
  ] as const) {
    const invited = hears(client, RoomInvitation)
    await alice.request(InviteToRoom, { group: '运维 ops', user })
    t.like(await invited, { by: 'alice' })
    const joined = hears(alice, JoinLeaveChatroom)
    await client.request(JoinRoom, { group: '运维 ops' })
    t.like(await joined, { user, what: 'joined' })
  }
  await alice.request(SetRoomRole, { group: '运维 ops', user: 'bob', role: 'admin' })
  await bob.request(RenameRoom, { group: '运维 ops', name: 'ops' })
  t.is(await refusal(t, carol.request(KickFromRoom, { group: 'ops', user: 'dave' })), 'role_too_low')

  t.log('What is said in the group stays there, also between friends, also for who is away.')
  const gone = [hears(alice, RoomUserOnOffLine), hears(alice, FriendOnOffLine)]
  await carol.close()
  t.like(await Promise.all(gone), [{ online: false }, { online: false }])
  await alice.send({ group: 'ops' }, 'build broke')
  await bob.send({ group: 'ops' }, 'on it')
  // A user who returns at once is announced only if the session lasts.
  const [inGroup, asFriend] = [hears(alice, RoomUserOnOffLine), hears(alice, FriendOnOffLine)]
  const carolAgain = await server.user('carol')
  t.like(await Promise.all([inGroup, asFriend]), [{ online: true }, { online: true }])
  t.deepEqual(await contactsOf(carolAgain), ['#ops 2', 'alice 0'])
  t.deepEqual(await reads(carolAgain, 2), ['#ops alice: build broke', '#ops bob: on it'])
  t.deepEqual(texts((await carolAgain.history('alice')).messages), [])
  t.deepEqual(await contactsOf(carolAgain), ['#ops 0', 'alice 0'])

  t.log('Dave leaves, comes back by a new invitation, is kicked.')
  await dave.request(LeaveRoom, { group: 'ops' })
  t.is(await refusal(t, dave.send({ group: 'ops' }, 'still here?')), 'not_member')
  await alice.request(InviteToRoom, { group: 'ops', user: 'dave' })
  await dave.request(JoinRoom, { group: 'ops' })
  t.deepEqual(texts((await dave.groupHistory('ops')).messages), [], 'earlier messages are not delivered to him')
  await bob.request(KickFromRoom, { group: 'ops', user: 'dave' })
  t.deepEqual(
    (await alice.request(QueryRoomUsers, { group: 'ops' })).members.map(({ user, role }) => `${user} ${role}`),
    ['alice owner', 'bob admin', 'carol member'],
  )

  t.log('Noon: the operator speaks to everyone; Eve is away and gets it when she comes.')
  await eve.close()
  t.is((await operator.request(Broadcast, { text: 'maintenance at six' })).recipients, 5)
  t.is(await refusal(t, alice.request(Broadcast, { text: 'me too' })), 'not_allowed')
  eve = await server.user('eve')
  t.deepEqual(await reads(eve, 1), ['system: maintenance at six'])
  await operator.request(KickUser, { user: 'eve' })

  t.log('Something said too early is taken back; something said long ago is found.')
  const slip = await alice.send('bob', 'the password is 1234')
  await alice.recall(slip.id)
  t.false(texts((await bob.inbox()).messages).includes('the password is 1234'))
  t.is(await refusal(t, bob.recall(slip.id)), 'no_message')
  t.deepEqual(texts((await carolAgain.search('BUILD')).messages), ['build broke'])
  t.deepEqual((await dave.search('build')).messages, [])

  t.log('Evening: a friendship ends, one is blocked, the group is dissolved.')
  const offline = hears(alice, FriendOnOffLine)
  await carolAgain.close()
  t.like(await offline, { user: 'carol', online: false })
  await alice.send('carol', 'good night')
  await alice.request(DeleteFriend, { user: 'carol' })
  const carolLate = await server.user('carol')
  t.true((await contactsOf(carolLate)).includes('alice 1'))
  t.is(await refusal(t, carolLate.send('alice', 'why?')), 'not_friends')
  await bob.request(BlockUser, { user: 'alice' })
  t.is(await refusal(t, alice.send('bob', 'hello?')), 'blocked')
  await bob.request(UnblockUser, { user: 'alice' })
  await alice.request(SetRoomRole, { group: 'ops', user: 'bob', role: 'owner' })
  const dissolved = hears(alice, JoinLeaveChatroom)
  await bob.request(DissolveRoom, { group: 'ops' })
  t.like(await dissolved, { group: 'ops', what: 'dissolved' })
  t.is(await refusal(t, alice.send({ group: 'ops' }, 'anyone?')), 'group_not_exist')

  t.log('Night: the server restarts; everything is as it was.')
  const before = await contactsOf(alice)
  await server.close()
  const morning = await startLocalServer(t, { data: server.data, pluginOptions: { friends: {} } })
  t.deepEqual(await contactsOf(await morning.user('alice')), before)
  t.deepEqual(texts((await (await morning.user('bob')).history('alice')).messages), ['你好 😀\nline two'])
})
