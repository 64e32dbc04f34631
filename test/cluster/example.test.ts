import test from 'ava'
import { type Client, OnNewMessage } from '../../client/index.ts'
import { Clients } from '../support/clients.ts'
import { type Part, runExample } from '../support/cluster/example.ts'
import { canRunCluster } from '../support/cluster/processes.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES } from '../support/endurance/rounds.ts'
import { openListener, Sender, storedFor, untilLost } from '../support/endurance/senders.ts'

const SETTINGS = {
  CHATCTL_OPTIONS: '{"registration":{"iterations":4096,"minPassword":1},"friends":{"messagesFrom":"anyone"}}',
  CHATCTL_LIMITS: '{"requestRate":1000000000,"requestBurst":1000000000,"registrations":1000000000}',
}
const WINDOW = 8
/** Messages that are acknowledged between two faults. */
const BETWEEN = 200

/** The longest time for which a client had no node, in milliseconds. */
function longestGap(client: Client): () => number {
  let longest = 0
  let lostAt = 0
  client.onLife('disconnected', () => {
    lostAt = performance.now()
  })
  client.onLife('reconnected', () => {
    longest = Math.max(longest, performance.now() - lostAt)
  })
  return () => Math.round(longest)
}

const next = (client: Client) =>
  new Promise<string[]>((resolve) => {
    const stop = client.on(OnNewMessage, ({ messages }) => {
      stop()
      resolve(messages.map(({ text }) => text))
    })
  })

test('the example of docs/CLUSTER.md: people talk across nodes while servers are killed and restarted', async (t) => {
  if (!canRunCluster(t)) return
  t.timeout(5 * MINUTES)
  const { parts, addresses, run } = await runExample(t, SETTINGS)
  const nodes = parts.filter(({ program }) => program === 'chatctl')
  const nats = parts.filter(({ program }) => program === 'nats-server')
  const states = async () =>
    JSON.parse(await run('chatctl cluster status -o json')).map(
      ({ name, state }: { name: string; state: string }) => `${name} ${state}`,
    )
  t.deepEqual(await states(), ['a running', 'b running', 'c running'])

  const { user } = new Clients(t, () => ({ address: addresses.join(','), control: '' }))
  /** Beginning with the node of this index. */
  const from = (index: number) => [...addresses.slice(index), ...addresses.slice(0, index)].join(',')
  const ann = await user('ann', { server: from(0), reconnect: true })
  const carol = await user('carol', { server: from(2), reconnect: true })
  const greeting = next(carol)
  await carol.receive()
  await ann.send('carol', 'hello from another node')
  t.deepEqual(await greeting, ['hello from another node'])

  const bob = await openListener({ user }, { server: from(1) })
  const ledger = new Ledger()
  const senders = [new Sender('ann', ledger), new Sender('carol', ledger)] as const
  const gaps = [longestGap(ann), longestGap(carol)]
  let isOver = false
  const sending = [ann, carol].map(async (client, index) => {
    while (!isOver) await untilLost((senders[index] as Sender).send(client, { window: WINDOW, enough: () => isOver }))
  })
  const someMore = () => ledger.acknowledgements(ledger.acknowledged + BETWEEN)
  const restart = async (part: Part) => {
    t.is(await part.kill('SIGTERM'), 0)
    await part.start()
    await someMore()
  }
  await someMore()
  await nodes[0]?.kill('SIGKILL')
  await someMore()
  await nodes[0]?.start()
  await nats[1]?.kill('SIGKILL')
  await someMore()
  for (const node of nodes) await restart(node)
  isOver = true
  await Promise.all(sending)
  await senders[0].sendOpen(ann, WINDOW)
  await senders[1].sendOpen(carol, WINDOW)

  const witness = await user('bob', { server: from(2) })
  const everything = await storedFor(witness)
  ledger.find(everything)
  const figures = ledger.figures()
  await bob.hear(figures.attempted)
  t.log(line({ ...figures, 'longest ms without a node': Math.max(...gaps.map((gap) => gap())) }))
  t.like(figures, { ...KEPT, acknowledged: figures.attempted, stored: figures.attempted })
  t.deepEqual(
    bob.heard,
    everything.map(({ text }) => text),
    'Bob hears each once, in the order they are stored',
  )
})
