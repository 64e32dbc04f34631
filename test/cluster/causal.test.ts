import test, { type ExecutionContext } from 'ava'
import { type Client, CreateRoom, DissolveRoom, JoinRoom, KickFromRoom, OnNewMessage } from '../../client/index.ts'
import { Consume } from '../../plugins/index.ts'
import { startNodes } from '../support/cluster/nodes.ts'
import { clusterClock } from '../support/cluster/time.ts'
import { hears, texts } from '../support/requests.ts'

/** Two nodes; what one does not hear, it does not read by itself, because time stands still. */
async function twoNodes(t: ExecutionContext, options = {}) {
  const [one, two] = await startNodes(t, 2, { clock: clusterClock(), ...options })
  if (one === undefined || two === undefined) throw new Error('two nodes were asked for')
  return { one, two }
}

/** The texts pushed to a client, as they come. */
function pushedTo(client: Client): string[] {
  const heard: string[] = []
  client.on(OnNewMessage, ({ messages }) => heard.push(...texts(messages)))
  return heard
}

test('Bob moves to a node that has heard nothing: he gets what is unread once, and then what comes', async (t) => {
  const { one, two } = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await one.user('bob')]
  two.bus.cut()
  for (const text of ['one', 'two']) await alice.send('bob', text)
  t.deepEqual(texts(await hears(bob, 1)), ['one'])
  await bob.close()
  const moved = await two.user('bob')
  const hearing = hears(moved, 2)
  await (await two.user('carol')).send('bob', 'three')
  t.deepEqual(texts(await hearing), ['two', 'three'])
})

test('a consumer moves to a node that has heard nothing: no event is missed, and none comes again that was acknowledged', async (t) => {
  const { one, two } = await twoNodes(t)
  const [alice, robot] = [await one.user('alice'), await one.user('robot')]
  two.bus.cut()
  await robot.request(Consume, { consumer: 'main' })
  const heard: string[] = []
  for (const text of ['one', 'two', 'three']) await alice.send('robot', text)
  for await (const event of robot.events('main')) {
    heard.push(event.text)
    if (heard.length === 2) break
    await robot.acknowledgeEvent('main', event.id)
  }
  await robot.close()
  const moved = await two.user('robot')
  await alice.send('robot', 'four')
  for await (const event of moved.events('main')) {
    heard.push(event.text)
    if (event.text === 'four') break
  }
  // Leaving the loop does not acknowledge the event.
  t.deepEqual(heard, ['one', 'two', 'two', 'three', 'four'])
})

test('what waits for Carol of a group is not pushed any more after another node has removed her, or dissolved it', async (t) => {
  const { one, two } = await twoNodes(t, { limits: { unacknowledged: 1 } })
  const [alice, carol, dave] = [await one.user('alice'), await two.user('carol'), await two.user('dave')]
  for (const group of ['ops', 'dev']) {
    await alice.request(CreateRoom, { group })
    for (const member of [carol, dave]) await member.request(JoinRoom, { group })
  }
  const heard = pushedTo(carol)
  await carol.receive()
  await dave.send('carol', 'first')
  await dave.send({ group: 'ops' }, 'of ops')
  await dave.send({ group: 'dev' }, 'of dev')
  await dave.send('carol', 'last')
  await alice.request(KickFromRoom, { group: 'ops', user: 'carol' })
  await alice.request(DissolveRoom, { group: 'dev' })
  // Her node knows of both now.
  await (await two.user('carol')).receive()
  const [first] = (await carol.inbox()).messages
  t.is(first?.text, 'first')
  if (first === undefined) return
  const last = new Promise((resolve) =>
    carol.on(OnNewMessage, ({ messages }) => texts(messages).includes('last') && resolve(0)),
  )
  await carol.acknowledge(first)
  await last
  t.deepEqual(heard, ['first', 'last'])
})
