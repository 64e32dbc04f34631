import test, { type ExecutionContext } from 'ava'
import {
  type Client,
  CreateRoom,
  DiscardStream,
  JoinRoom,
  LeaveRoom,
  OpenStream,
  QueryUsers,
  StreamDelta,
} from '../../client/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { clusterClock, eventually } from '../support/cluster/time.ts'
import { pieces } from '../support/pieces.ts'
import { textsOf } from '../support/requests.ts'

/** Texts of growing messages as a user sees them, in order; a finished one as its id, 0 for none. */
async function follows(client: Client): Promise<(string | number)[]> {
  const seen: (string | number)[] = []
  await client.followStreams(({ text, isOver, id = 0 }) => seen.push(isOver ? id : text))
  return seen
}

/** Alice on one node and Bob on the other, who know of each other. */
async function aliceAndBob(t: ExecutionContext) {
  const clock = clusterClock()
  const [one, two] = (await startNodes(t, 2, { clock })) as [Node, Node]
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  const knows = async (node: Node, name: string) => {
    const operator = await node.operator()
    await eventually(clock, async () => {
      const { users } = await operator.request(QueryUsers, { after: 0 })
      return users.some(({ user, sessions }) => user === name && sessions > 0)
    })
    await operator.close()
  }
  await knows(one, 'bob')
  await knows(two, 'alice')
  return { clock, one, two, alice, bob }
}

test('a message that Alice writes piece by piece grows for Bob on the other node', async (t) => {
  const { clock, alice, bob } = await aliceAndBob(t)
  const seen = await follows(bob)
  const source = pieces()
  const sent = alice.stream('bob', source)
  source.give('It ')
  await eventually(clock, () => seen.includes('It '))
  source.give('grows')
  await eventually(clock, () => seen.includes('It grows'))
  source.end()
  const { id } = (await sent) ?? {}
  await eventually(clock, () => seen.at(-1) === id)
  t.deepEqual(seen, ['', 'It ', 'It grows', id])
  t.deepEqual(textsOf(await bob.inbox()), ['It grows'])
})

test('an update that was lost is made up for, and so is a lost end', async (t) => {
  const { clock, two, alice, bob } = await aliceAndBob(t)
  const seen = await follows(bob)
  const { stream } = await alice.request(OpenStream, { to: 'bob' })
  const put = (at: number, text: string) => alice.request(StreamDelta, { stream, at, text })
  await put(0, 'one, two')
  await eventually(clock, () => seen.includes('one, two'))
  two.bus.cut()
  await put(5, 'three')
  await clock.advance(1000)
  two.bus.isCut = false
  await put(10, ', four')
  await eventually(clock, () => seen.includes('one, three, four'))
  two.bus.cut()
  await alice.request(DiscardStream, { stream })
  await clock.advance(25_000)
  t.deepEqual(seen, ['', 'one, two', 'one, three, four', 0])
})

test('members of a group on the other node see it; one who leaves sees no more', async (t) => {
  const { clock, two, alice, bob } = await aliceAndBob(t)
  const carol = await two.user('carol')
  await alice.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: 'ops' })
  const [bobs, carols] = [await follows(bob), await follows(carol)]
  const { stream } = await alice.request(OpenStream, { group: 'ops' })
  await alice.request(StreamDelta, { stream, at: 0, text: 'one' })
  await eventually(clock, () => bobs.includes('one') && carols.includes('one'))
  await carol.request(LeaveRoom, { group: 'ops' })
  await alice.request(StreamDelta, { stream, at: 3, text: ' two' })
  await eventually(clock, () => bobs.includes('one two'))
  t.deepEqual(
    [bobs, carols],
    [
      ['', 'one', 'one two'],
      ['', 'one', 0],
    ],
  )
})

test('a stream that its program opens again on the other node goes on there, and is one message', async (t) => {
  const { clock, one, two, alice, bob } = await aliceAndBob(t)
  const seen = await follows(bob)
  const opened = { to: 'bob', clientId: 'answer-1' }
  const { stream } = await alice.request(OpenStream, opened)
  await alice.request(StreamDelta, { stream, at: 0, text: 'half of' })
  await eventually(clock, () => seen.includes('half of'))
  await alice.close()
  const again = await two.user('alice')
  const source = pieces()
  const sent = again.stream('bob', source, { clientId: 'answer-1' })
  source.give('half of it, and the rest')
  await eventually(clock, () => seen.includes('half of it, and the rest'))
  source.end()
  const { id } = (await sent) ?? {}
  await clock.advance(20_000)
  t.is(seen.at(-1), id)
  t.deepEqual(textsOf(await (await one.user('bob')).inbox()), ['half of it, and the rest'])
})
