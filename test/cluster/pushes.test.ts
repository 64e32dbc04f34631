import test, { type ExecutionContext } from 'ava'
import {
  AddFriend,
  AddFriendRequest,
  AddFriendResult,
  type Client,
  ConfirmFriendRequest,
  ContactChanged,
  ConversationRead,
  CreateRoom,
  JoinLeaveChatroom,
  JoinRoom,
  KickUser,
  MessageRecalled,
  OnNewMessage,
  ProfileChanged,
  QueryContacts,
  QueryUsers,
  RecallMessage,
  SetProfile,
  Typing,
  UserTyping,
} from '../../client/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { clusterClock, eventually } from '../support/cluster/time.ts'
import { nextPush, texts } from '../support/requests.ts'

/** Two nodes, on which a user's sessions can be waited for. */
async function twoNodes(t: ExecutionContext, limits: Record<string, number> = {}) {
  const clock = clusterClock()
  const [one, two] = (await startNodes(t, 2, { clock, limits })) as [Node, Node]
  /** A session on a node that the other one knows of. */
  const enter = async (node: Node, name: string): Promise<Client> => {
    const client = await node.user(name)
    const watcher = await (node === one ? two : one).operator()
    await eventually(clock, async () => {
      const { users } = await watcher.request(QueryUsers, { after: 0 })
      return (users.find(({ user }) => user === name)?.sessions ?? 0) > 0
    })
    await watcher.close()
    return client
  }
  return { clock, one, two, enter }
}

test('Bob on another node sees that Alice is writing to him, and in their group', async (t) => {
  const { one, two, enter } = await twoNodes(t)
  const alice = await enter(one, 'alice')
  const bob = await enter(two, 'bob')
  const written = nextPush(bob, UserTyping)
  await alice.request(Typing, { to: 'bob' })
  t.deepEqual(await written, { from: 'alice', group: '', state: true })
  await alice.request(CreateRoom, { group: 'harbour' })
  await bob.request(JoinRoom, { group: 'harbour' })
  const inGroup = nextPush(alice, UserTyping)
  await bob.request(Typing, { group: 'harbour' })
  t.deepEqual(await inGroup, { from: 'bob', group: 'harbour', state: true })
})

test('a recall, a read receipt and a profile reach users on other nodes, once', async (t) => {
  const { clock, one, two, enter } = await twoNodes(t)
  const alice = await enter(one, 'alice')
  const phone = await enter(two, 'alice')
  const bob = await enter(two, 'bob')
  const recalled: number[] = []
  bob.on(MessageRecalled, ({ id }) => recalled.push(id))
  const receipts: unknown[] = []
  alice.on(ConversationRead, (receipt) => receipts.push(receipt))
  const { id: first } = await alice.send('bob', 'first')
  const { id: second } = await alice.send('bob', 'second')
  await alice.request(RecallMessage, { id: first })
  await eventually(clock, () => recalled.length > 0)
  for (const message of (await bob.inbox()).messages) await bob.acknowledge(message)
  await eventually(clock, () => receipts.length > 0)
  t.deepEqual(receipts, [{ reader: 'bob', from: 'alice', group: '', upTo: second }])
  const changed = nextPush(phone, ProfileChanged)
  await alice.request(SetProfile, { avatar: '', about: 'at sea' })
  t.like(await changed, { user: 'alice', about: 'at sea' })
  t.deepEqual([recalled, receipts.length], [[first], 1])
})

test('what Bob has read on one node makes room for more on his session on the other', async (t) => {
  const { clock, one, two, enter } = await twoNodes(t, { unacknowledged: 2 })
  const alice = await enter(one, 'alice')
  const bob = await enter(one, 'bob')
  const idle = await enter(two, 'bob')
  const pushed: string[] = []
  idle.on(OnNewMessage, ({ messages }) => pushed.push(...texts(messages)))
  await idle.receive()
  for (const text of ['first', 'second', 'third']) await alice.send('bob', text)
  await eventually(clock, () => pushed.length >= 2)
  await clock.advance(1000)
  t.deepEqual(pushed, ['first', 'second'])
  const [, second] = (await bob.inbox()).messages
  if (second === undefined) return t.fail()
  await bob.acknowledge(second)
  await eventually(clock, () => pushed.length >= 3)
  t.deepEqual(pushed, ['first', 'second', 'third'])
})

test('a friend request, its answer and the joining of a group are told on the nodes of those concerned', async (t) => {
  const { one, two, enter } = await twoNodes(t)
  const alice = await enter(one, 'alice')
  const bob = await enter(two, 'bob')
  const asked = nextPush(bob, AddFriendRequest)
  await alice.request(AddFriend, { user: 'bob' })
  t.like(await asked, { user: 'alice' })
  const answered = nextPush(alice, AddFriendResult)
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  t.like(await answered, { user: 'bob', accepted: true })
  await alice.request(CreateRoom, { group: 'harbour' })
  const joined = nextPush(alice, JoinLeaveChatroom)
  await bob.request(JoinRoom, { group: 'harbour' })
  t.like(await joined, { group: 'harbour', user: 'bob', what: 'joined' })
})

test('kicking Bob ends his sessions on all nodes, and names a node that does not answer', async (t) => {
  const { one, two, enter } = await twoNodes(t)
  const ends = [await enter(one, 'bob'), await enter(two, 'bob')].map(
    (client) => new Promise<Error>((resolve) => client.onLife('closed', resolve)),
  )
  const operator = await one.operator()
  t.deepEqual(await operator.request(KickUser, { user: 'bob' }), { sessions: 2, silentNodes: '' })
  for (const end of ends) t.like(await end, { failure: 'kicked' })
  two.bus.cut()
  t.deepEqual(await operator.request(KickUser, { user: 'bob' }), { sessions: 0, silentNodes: String(two.bus.node) })
})

test('a list of contacts follows friendships, groups and profiles of users on the other node', async (t) => {
  const { clock, one, two, enter } = await twoNodes(t)
  const alice = await enter(one, 'alice')
  const bob = await enter(two, 'bob')
  const seen: string[] = []
  alice.on(ContactChanged, ({ contacts }) => {
    for (const { name, friend, online } of contacts)
      seen.push(`${name}${friend ? ' friend' : ''}${online ? ' on' : ''}`)
  })
  const profiles: number[] = []
  alice.on(ContactChanged, ({ contacts }) => profiles.push(...contacts.map(({ profileAt }) => profileAt)))
  await alice.request(AddFriend, { user: 'bob' })
  await alice.request(CreateRoom, { group: 'harbour' })
  await alice.request(QueryContacts, { watch: true })
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await eventually(clock, () => seen.includes('bob friend on'))
  await bob.request(SetProfile, { avatar: '', about: 'at sea' })
  await eventually(clock, () => profiles.some((at) => at > 0))
  await bob.request(JoinRoom, { group: 'harbour' })
  await eventually(clock, () => seen.includes('harbour'))
  await bob.close()
  await eventually(clock, () => seen.at(-1) === 'bob friend')
  t.is(seen.filter((contact) => contact === 'bob friend').length, 1)
})
