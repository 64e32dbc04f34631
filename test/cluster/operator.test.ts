import test from 'ava'
import type { Client } from '../../client/index.ts'
import { QueryPlugins, QueryStatus } from '../../core/index.ts'
import { Tap, Tapped } from '../../plugins/tap/messages.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { clusterClock, eventually } from '../support/cluster/time.ts'

/** What the tap of an operator shows from now on. */
function shownTo(operator: Client): string[] {
  const seen: string[] = []
  operator.on(Tapped, ({ node, direction, user, name }) => seen.push(`${node} ${direction} ${user} ${name}`))
  return seen
}

/** Message types that a tap listens to on a node. */
async function tappedTypes({ operator }: Node): Promise<number> {
  const client = await operator()
  const plugins = JSON.parse((await client.request(QueryPlugins, {})).json) as { name: string; listens: string[] }[]
  await client.close()
  return plugins.find(({ name }) => name === 'tap')?.listens.length ?? -1
}

test('the status of a node has all nodes, and names one that does not answer', async (t) => {
  const [one, two, three] = (await startNodes(t, 3)) as [Node, Node, Node]
  const operator = await one.operator()
  await one.user('alice')
  await two.user('bob')
  await two.user('carol')
  const status = async () => JSON.parse((await operator.request(QueryStatus, {})).json).cluster
  const [first, second, third] = [one, two, three].map(({ bus }) => bus.node)
  t.like(await status(), {
    node: first,
    nodes: [
      { node: first, users: 1, connections: 2 },
      { node: second, users: 2, connections: 2 },
      { node: third, users: 0, connections: 0 },
    ],
    silent: [],
  })
  three.bus.cut()
  t.like(await status(), { nodes: [{ node: first }, { node: second }], silent: [third] })
})

test('a tap shows the sessions of all nodes, and costs the others nothing after its end', async (t) => {
  const clock = clusterClock()
  const [one, two] = (await startNodes(t, 2, { clock })) as [Node, Node]
  const operator = await one.operator()
  const seen = shownTo(operator)
  await operator.request(Tap, { type: 'send_message' })
  await eventually(clock, async () => (await tappedTypes(two)) > 0)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  await alice.send('bob', 'hello')
  await bob.send('alice', 'hello, Alice')
  await eventually(clock, () => seen.length >= 2)
  t.deepEqual(seen.sort(), [`${one.bus.node} in alice send_message`, `${two.bus.node} in bob send_message`])
  await operator.close()
  await eventually(clock, async () => (await tappedTypes(two)) === 0)
  t.is(await tappedTypes(one), 0)
})

test('a node that was not reached begins a tap late, and ends one whose end it has not heard', async (t) => {
  const clock = clusterClock()
  const [one, two] = (await startNodes(t, 2, { clock })) as [Node, Node]
  two.bus.cut()
  const operator = await one.operator()
  await operator.request(Tap, {})
  await clock.advance(1000)
  t.is(await tappedTypes(two), 0)
  two.bus.heal()
  await eventually(clock, async () => (await tappedTypes(two)) > 0)
  two.bus.cut()
  await operator.close()
  await clock.advance(20_000)
  await eventually(clock, async () => (await tappedTypes(two)) === 0)
  t.is(await tappedTypes(one), 0)
})
