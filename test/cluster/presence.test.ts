import test, { type ExecutionContext } from 'ava'
import {
  AddFriend,
  type Client,
  ConfirmFriendRequest,
  CreateRoom,
  FriendList,
  FriendOnOffLine,
  JoinRoom,
  QueryUsers,
  RoomUserOnOffLine,
} from '../../client/index.ts'
import type { TestClock } from '../../testing/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { clusterClock, eventually } from '../support/cluster/time.ts'
import { refusal } from '../support/requests.ts'

/** Alice and Bob, who have become friends on a node and have left. */
async function befriended({ user }: Node) {
  const [alice, bob] = [await user('alice'), await user('bob')]
  await alice.request(AddFriend, { user: 'bob' })
  await bob.request(ConfirmFriendRequest, { user: 'alice', accept: true })
  await alice.close()
  await bob.close()
}

/** What a user's client shows of other users from now on. */
function shown(client: Client): string[] {
  const seen: string[] = []
  client.on(FriendOnOffLine, ({ user, online }) => seen.push(`${user} ${online ? 'on' : 'off'}`))
  return seen
}

/** Resolves when a node counts so many sessions of a user in the cluster. */
async function counts(clock: TestClock, { operator }: Node, name: string, count: number) {
  const client = await operator()
  await eventually(clock, async () => {
    const { users } = await client.request(QueryUsers, { after: 0 })
    return users.find(({ user }) => user === name)?.sessions === count
  })
  await client.close()
}

const seenSoMany = (clock: TestClock, seen: readonly unknown[], count: number) =>
  eventually(clock, () => seen.length >= count)

const friendsOf = async (client: Client) =>
  (await client.request(FriendList, {})).friends.map(({ user, online }) => `${user} ${online ? 'on' : 'off'}`)

async function threeNodes(t: ExecutionContext, options: Parameters<typeof startNodes>[2] = {}) {
  const nodes = await startNodes(t, 3, { limits: 'off', ...options })
  return nodes as [Node, Node, Node]
}

test('Alice sees Bob come online once, whatever nodes he is on, and go offline with his last session', async (t) => {
  const clock = clusterClock()
  const [one, two, three] = await threeNodes(t, { clock })
  await befriended(one)
  await clock.advance(5000)
  const alice = await one.user('alice')
  const seen = shown(alice)
  const bob = await two.user('bob')
  await seenSoMany(clock, seen, 1)
  t.deepEqual(await friendsOf(alice), ['bob on'])
  const second = await three.user('bob')
  await counts(clock, one, 'bob', 2)
  await bob.close()
  await clock.advance(5000)
  t.deepEqual(seen, ['bob on'])
  await second.close()
  await seenSoMany(clock, seen, 2)
  t.deepEqual(seen, ['bob on', 'bob off'])
  t.deepEqual(await friendsOf(alice), ['bob off'])
})

test('the users of a node that is not heard for 8 s go offline within 10 s, and come back when it is heard again', async (t) => {
  const clock = clusterClock()
  const [one, two, three] = await threeNodes(t, { clock })
  await befriended(one)
  await clock.advance(5000)
  const alice = await one.user('alice')
  const seen = shown(alice)
  await two.user('bob')
  await three.user('carol')
  await seenSoMany(clock, seen, 1)
  await counts(clock, one, 'carol', 1)
  two.bus.cut()
  await clock.advance(7000)
  t.deepEqual(seen, ['bob on'])
  await clock.advance(3000)
  t.deepEqual(seen, ['bob on', 'bob off'])
  await counts(clock, one, 'carol', 1)
  two.bus.heal()
  await clock.advance(3000)
  await seenSoMany(clock, seen, 3)
  t.deepEqual(seen, ['bob on', 'bob off', 'bob on'])
  await counts(clock, two, 'carol', 1)
})

test('a report that was lost is made up for', async (t) => {
  const clock = clusterClock()
  const [one, two] = await threeNodes(t, { clock })
  await two.user('carol')
  await two.user('dave')
  await counts(clock, one, 'dave', 1)
  // Nothing of the cut is told to the other node, as when a broker drops messages of a slow consumer.
  two.bus.cut()
  const bob = await two.user('bob')
  two.bus.isCut = false
  await clock.advance(2000)
  await counts(clock, one, 'bob', 1)
  await counts(clock, one, 'carol', 1)
  two.bus.cut()
  await bob.close()
  await eventually(clock, () => two.server.sessions.users === 2)
  two.bus.isCut = false
  await clock.advance(2000)
  await counts(clock, one, 'bob', 0)
  await t.notThrowsAsync(counts(clock, one, 'carol', 1))
})

test('a node that hears the others late knows who is online there', async (t) => {
  const clock = clusterClock()
  const [one, two, three] = await threeNodes(t, { clock })
  three.bus.cut()
  const alice = await one.user('alice')
  await two.user('bob')
  await counts(clock, two, 'alice', 1)
  three.bus.heal()
  await counts(clock, three, 'alice', 1)
  await counts(clock, three, 'bob', 1)
  await alice.close()
  await counts(clock, three, 'alice', 0)
  await t.notThrowsAsync(counts(clock, three, 'bob', 1))
})

test('members of a group hear of each other across nodes, once per user however often he flaps', async (t) => {
  const clock = clusterClock()
  const [one, two] = await threeNodes(t, { clock })
  const [alice, bob] = [await one.user('alice'), await one.user('bob')]
  await alice.request(CreateRoom, { group: 'harbour' })
  await bob.request(JoinRoom, { group: 'harbour' })
  await bob.close()
  await clock.advance(5000)
  const seen: boolean[] = []
  alice.on(RoomUserOnOffLine, ({ online }) => seen.push(online))
  for (let round = 0; round < 10; round++) {
    const flapping = await two.user('bob')
    await counts(clock, one, 'bob', 1)
    await flapping.close()
    await counts(clock, one, 'bob', 0)
  }
  await clock.advance(30_000)
  t.deepEqual(seen, [true, false])
})

test('a user has no more sessions over all nodes than one server allows', async (t) => {
  const clock = clusterClock()
  const [one, two] = await threeNodes(t, { clock, limits: { sessionsPerUser: 3 } })
  for (let session = 0; session < 3; session++) await one.user('alice')
  await counts(clock, two, 'alice', 3)
  t.is(await refusal(t, two.user('alice')), 'too_many_sessions')
  // A node that may have ended keeps nobody out.
  one.bus.cut()
  await clock.advance(4000)
  await t.notThrowsAsync(two.user('alice'))
})
