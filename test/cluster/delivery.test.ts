import test, { type ExecutionContext } from 'ava'
import {
  Acknowledge,
  type ChatMessage,
  type Client,
  ContactChanged,
  CreateRoom,
  EditMessage,
  JoinRoom,
  KickFromRoom,
  OnNewMessage,
  QueryContacts,
  QueryRoomUsers,
  RecallMessage,
} from '../../client/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { tokenOf } from '../support/http/api.ts'
import { EventReader } from '../support/http/events.ts'
import { hears, texts } from '../support/requests.ts'

async function twoNodes(t: ExecutionContext): Promise<[Node, Node]> {
  const [one, two] = await startNodes(t, 2)
  if (one === undefined || two === undefined) throw new Error('two nodes were asked for')
  return [one, two]
}

/** The texts pushed to a client until one has come, each with its id. */
async function until(client: Client, last: string): Promise<{ text: string; id: number }[]> {
  const heard: { text: string; id: number }[] = []
  return new Promise((resolve) => {
    client.on(OnNewMessage, ({ messages }) => {
      for (const { text, id } of messages) if (heard.push({ text, id }) > 0 && text === last) resolve(heard)
    })
  })
}

const unread = async (client: Client) => texts((await client.inbox()).messages)
const ascends = (ids: readonly number[]) => ids.every((id, index) => index === 0 || id > (ids[index - 1] as number))

test('Alice writes on one node, and Bob hears it on the other', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  const hearing = hears(bob, 2)
  const { id } = await alice.send('bob', 'hello')
  await alice.send('bob', 'are you there?')
  const heard = await hearing
  t.deepEqual(texts(heard), ['hello', 'are you there?'])
  t.like(heard[0], { id, from: 'alice' })
  t.deepEqual(await unread(bob), [])
  t.deepEqual(await unread(await one.user('bob')), [], 'what was acknowledged on one node is read on the other')
})

test('two who write to each other from two nodes see one order', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  for (const client of [alice, bob]) await client.receive({ own: true })
  const [phone, tablet] = [await two.user('alice'), await one.user('bob')]
  for (const client of [phone, tablet]) await client.receive({ own: true })
  const hearing = [phone, tablet].map((client) => until(client, 'the end'))
  const talk = async (from: Client, to: string) => {
    for (let n = 0; n < 50; n++) await from.send(to, `${n}`)
  }
  await Promise.all([talk(alice, 'bob'), talk(bob, 'alice')])
  await alice.send('bob', 'the end')
  const [first, second] = await Promise.all(hearing)
  t.is(first?.length, 101)
  t.deepEqual(first, second)
  t.true(ascends((first ?? []).map(({ id }) => id)))
})

test('a group with members on three nodes: everyone hears everything once, in one order', async (t) => {
  const nodes = await startNodes(t, 3)
  const clients: Client[] = []
  for (const [index, node] of nodes.entries()) clients.push(await node.user(`member${index}`))
  const [owner, ...others] = clients as [Client, ...Client[]]
  await owner.request(CreateRoom, { group: 'ops' })
  for (const client of others) await client.request(JoinRoom, { group: 'ops' })
  for (const client of clients) await client.receive({ own: true })
  // A second session of each on the next node hears what the first one writes.
  const listening: Promise<{ text: string; id: number }[]>[] = []
  for (const index of nodes.keys()) {
    const listener = await (nodes[(index + 1) % 3] as Node).user(`member${index}`)
    await listener.receive({ own: true })
    listening.push(until(listener, 'the end'))
  }
  const talk = async (client: Client, index: number) => {
    for (let n = 0; n < 30; n++) await client.send({ group: 'ops' }, `${index} ${n}`)
  }
  await Promise.all(clients.map(talk))
  await owner.send({ group: 'ops' }, 'the end')
  const [first, ...rest] = await Promise.all(listening)
  t.is(first?.length, 91)
  for (const heard of rest) t.deepEqual(heard, first)
})

test('what Alice writes at her desk appears on her phone at another node, and not at her desk', async (t) => {
  const [one, two] = await twoNodes(t)
  const [desk, phone, bob] = [await one.user('alice'), await two.user('alice'), await two.user('bob')]
  await bob.receive()
  for (const client of [desk, phone]) await client.receive({ own: true })
  const hearing = [until(desk, 'the end'), until(phone, 'the end')]
  const { id } = await desk.send('bob', 'to Bob')
  await bob.send('alice', 'the end')
  const [desks, phones] = await Promise.all(hearing)
  t.deepEqual(texts(desks ?? []), ['the end'])
  t.deepEqual(texts(phones ?? []), ['to Bob', 'the end'])
  t.is(phones?.[0]?.id, id)
})

test('a node that no wake-up reaches delivers all the same', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  const hearing = hears(bob, 3)
  two.bus.cut()
  for (const text of ['one', 'two', 'three']) await alice.send('bob', text)
  t.deepEqual(texts(await hearing), ['one', 'two', 'three'])
})

test('Bob joins on one node and is written to on another at once', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'before Bob')
  const hearing = hears(bob, 1)
  await bob.request(JoinRoom, { group: 'ops' })
  await alice.send({ group: 'ops' }, 'welcome')
  t.deepEqual(texts(await hearing), ['welcome'])
})

test('users join a group on two nodes at once: both nodes know all members then', async (t) => {
  const [one, two] = await twoNodes(t)
  const alice = await one.user('alice')
  await alice.request(CreateRoom, { group: 'ops' })
  const guests: Client[] = []
  for (let n = 0; n < 6; n++) guests.push(await one.user(`guest${n}`), await two.user(`visitor${n}`))
  await Promise.all(guests.map((guest) => guest.request(JoinRoom, { group: 'ops' })))
  const asked = [alice, ...guests].map(
    async (client) => (await client.request(QueryRoomUsers, { group: 'ops' })).members,
  )
  for (const members of await Promise.all(asked)) t.is(members.length, 13)
})

test('Carol is kicked on one node: what is written afterwards on the other one does not reach her', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob, carol] = [await one.user('alice'), await two.user('bob'), await two.user('carol')]
  await alice.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: 'ops' })
  const hearing = until(carol, 'the end')
  await carol.receive()
  await bob.send({ group: 'ops' }, 'all are here')
  await alice.request(KickFromRoom, { group: 'ops', user: 'carol' })
  await bob.send({ group: 'ops' }, 'Carol is gone')
  await alice.send({ group: 'ops' }, 'she is')
  await bob.send('carol', 'the end')
  t.deepEqual(texts(await hearing), ['all are here', 'the end'])
})

test('a message that waits for a full window on another node is pushed with its new text, or not at all', async (t) => {
  const [one, two] = await startNodes(t, 2, { limits: { unacknowledged: 1 } })
  if (one === undefined || two === undefined) return t.fail()
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  const heard: ChatMessage[] = []
  const loop = bob.messages({ acknowledge: false })
  const first = loop.next()
  const sent = []
  for (const text of ['first', 'with a mistkae', 'to be recalled', 'last']) sent.push(await alice.send('bob', text))
  heard.push((await first).value)
  await alice.request(EditMessage, { id: sent[1]?.id ?? 0, text: 'without a mistake' })
  await alice.request(RecallMessage, { id: sent[2]?.id ?? 0 })
  // Its node knows of both now.
  await (await two.user('bob')).receive()
  for (let n = 0; n < 2; n++) {
    await bob.acknowledge(heard.at(-1) as ChatMessage)
    heard.push((await loop.next()).value)
  }
  t.deepEqual(texts(heard), ['first', 'without a mistake', 'last'])
})

test('what Bob reads on one node makes room on his other session, and is read in the list of contacts there', async (t) => {
  const [one, two] = await startNodes(t, 2, { limits: { unacknowledged: 1 } })
  if (one === undefined || two === undefined) return t.fail()
  const [alice, desk, phone] = [await one.user('alice'), await one.user('bob'), await two.user('bob')]
  await desk.receive()
  await phone.receive()
  const [first, second] = [until(phone, 'one'), until(phone, 'two')]
  const { id } = await alice.send('bob', 'one')
  await alice.send('bob', 'two')
  await first
  t.is((await phone.request(QueryContacts, { watch: true })).unread, 2)
  const counted = new Promise((resolve) => {
    phone.on(ContactChanged, ({ contacts }) => contacts.some(({ unread }) => unread === 1) && resolve(undefined))
  })
  await desk.request(Acknowledge, { from: 'alice', upTo: id })
  t.deepEqual(texts(await second), ['one', 'two'])
  await counted
})

test('readers of events over HTTP at another node get every message once, in order', async (t) => {
  const [one, two] = await twoNodes(t)
  const http = await two.server.listenHttp({ host: '127.0.0.1', port: 0 })
  const [alice, bob, carol] = [await one.user('alice'), await two.user('bob'), await two.user('carol')]
  const reader = await EventReader.open(`http://127.0.0.1:${http.port}`, '/v1/events?consumer=ci', {
    token: await tokenOf(bob),
  })
  t.teardown(() => reader.close())
  t.is((await reader.next())?.event, 'ready')
  const says = async (from: Client) => {
    for (let n = 0; n < 20; n++) await from.send('bob', `${n}`)
  }
  await Promise.all([says(alice), says(carol)])
  const ids: number[] = []
  while (ids.length < 40) {
    const event = await reader.next()
    if (event?.event === 'message') ids.push(event.data.id)
  }
  t.true(ascends(ids))
})
