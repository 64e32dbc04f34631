import test from 'ava'
import {
  AcknowledgeRoom,
  type ChatMessage,
  type Client,
  CreateRoom,
  JoinRoom,
  LeaveRoom,
  OnNewMessage,
} from '../../client/index.ts'
import { hears, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

/** Takes the next messages of a loop, acknowledging none. */
async function next(loop: AsyncGenerator<ChatMessage>, count: number): Promise<string[]> {
  const heard: ChatMessage[] = []
  while (heard.length < count) heard.push((await loop.next()).value)
  return texts(heard)
}

/** The texts pushed to a client until a message with that text has come. */
async function until(client: Client, last: string): Promise<string[]> {
  const heard: string[] = []
  return new Promise((resolve) => {
    client.on(OnNewMessage, ({ messages }) => {
      for (const { text } of messages) if (heard.push(text) > 0 && text === last) resolve(heard)
    })
  })
}

test('what Alice writes at her desk appears on her phone, private and in a group, but not at her desk', async (t) => {
  const server = await startLocalServer(t)
  const [desk, phone, watch] = [await server.user('alice'), await server.user('alice'), await server.user('alice')]
  const bob = await server.user('bob')
  await desk.request(CreateRoom, { group: 'ops' })
  for (const client of [desk, phone]) await client.receive({ own: true })
  await watch.receive()
  const heard = [desk, phone, watch].map((client) => until(client, 'the end'))
  const atPhone: Parameters<Parameters<typeof phone.on<typeof OnNewMessage>>[1]>[0]['messages'] = []
  phone.on(OnNewMessage, ({ messages }) => atPhone.push(...messages))

  const { id } = await desk.send('bob', 'to Bob')
  await desk.send({ group: 'ops' }, 'to all')
  await desk.send('alice', 'a note')
  await bob.send('alice', 'the end')

  const [desks, phones, watches] = await Promise.all(heard)
  t.deepEqual(desks, ['a note', 'the end'], 'the reply is enough for the session that sent it')
  t.deepEqual(phones, ['to Bob', 'to all', 'a note', 'the end'])
  t.deepEqual(watches, ['a note', 'the end'], 'only at request: a bot would answer itself')
  t.like(atPhone[0], { id, from: 'alice', to: 'bob', group: '', unread: true }, 'unread by Bob')
  t.like(atPhone[1], { from: 'alice', to: '', group: 'ops', unread: false })
})

test('a message that is sent again is not pushed again [D-2]', async (t) => {
  const server = await startLocalServer(t)
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await phone.receive({ own: true })
  const heard = until(phone, 'the end')
  for (let time = 0; time < 2; time++) await desk.send('bob', 'once', { clientId: 'the same' })
  await bob.send('alice', 'the end')
  t.deepEqual(await heard, ['once', 'the end'])
})

test('an own message takes no room in the window, and waits for earlier messages that have none [D-3] [D-4]', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 3 } })
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  const loop = phone.messages({ own: true, acknowledge: false })
  const first = next(loop, 3)
  for (const text of ['1', '2']) await bob.send('alice', text)
  const third = { from: 'bob', ...(await bob.send('alice', '3')) }
  t.deepEqual(await first, ['1', '2', '3'])

  const own = next(loop, 2)
  for (const text of ['4', '5']) await desk.send('bob', text)
  t.deepEqual(await own, ['4', '5'], 'the window is full, and nothing waits')

  // More than the memory of the session holds: they are read from the database.
  const order = Array.from({ length: 40 }, (_, index) => String(index + 6))
  for (const [index, text] of order.entries()) {
    if (index % 3 === 0) await bob.send('alice', text)
    else await desk.send('bob', text)
  }
  await desk.acknowledge(third)
  const heard: ChatMessage[] = []
  while (heard.length < order.length) {
    const { value } = await loop.next()
    heard.push(value)
    if (value.from === 'bob') await phone.acknowledge(value)
  }
  t.deepEqual(texts(heard), order)
  await loop.return(undefined)
})

test('acknowledging a group does not drop own messages of it that wait', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 2 } })
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await desk.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const heard = until(phone, 'the end')
  await phone.receive({ own: true })
  for (const text of ['fills', 'the window', 'waits']) await bob.send({ group: 'ops' }, text)
  const { id } = await desk.send({ group: 'ops' }, 'own')
  await desk.request(AcknowledgeRoom, { group: 'ops', upTo: id })
  await bob.send('alice', 'the end')
  t.deepEqual(await heard, ['fills', 'the window', 'own', 'the end'])
})

test('an own message that waits is not pushed after its recall, or after Alice has left the group [D-7] [D-8]', async (t) => {
  const server = await startLocalServer(t, { limits: { unacknowledged: 1 } })
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await bob.request(CreateRoom, { group: 'ops' })
  await desk.request(JoinRoom, { group: 'ops' })
  const heard = until(phone, 'the end')
  await phone.receive({ own: true })
  const { id } = await bob.send('alice', 'fills the window')
  await bob.send('alice', 'waits')
  const recalled = await desk.send('bob', 'recalled')
  for (let n = 0; n < 3; n++) await desk.send({ group: 'ops' }, 'left')
  await desk.send('bob', 'own')
  await desk.recall(recalled.id)
  await desk.request(LeaveRoom, { group: 'ops' })
  await desk.acknowledge({ from: 'bob', id })
  await desk.acknowledge((await desk.inbox()).messages[0] as ChatMessage)
  await bob.send('alice', 'the end')
  t.deepEqual(await heard, ['fills the window', 'waits', 'own', 'the end'])
})

test('filters hold for own messages: with `from` those to that user, with `kind` those of that kind', async (t) => {
  const server = await startLocalServer(t)
  const [desk, one, other] = [await server.user('alice'), await server.user('alice'), await server.user('alice')]
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  await desk.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  await one.receive({ own: true, from: 'bob' })
  await other.receive({ own: true, kind: 4 })
  const heard = [until(one, 'the end'), until(other, 'the end of all')]
  await desk.send('carol', 'to Carol')
  await desk.send({ group: 'ops' }, 'to all')
  await desk.send('bob', 'to Bob')
  await carol.send('alice', 'from Carol')
  await bob.send('alice', 'the end')
  await bob.send({ group: 'ops' }, 'the end of all')
  t.deepEqual(await Promise.all(heard), [
    ['to Bob', 'the end'],
    ['to all', 'the end of all'],
  ])
})

test('a loop acknowledges no own message: a note to oneself from before stays unread', async (t) => {
  const server = await startLocalServer(t)
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await desk.send('alice', 'a note')
  await bob.send('alice', 'one')
  const loop = phone.messages({ own: true, from: 'bob' })
  t.deepEqual(await next(loop, 1), ['one'])
  const own = next(loop, 1)
  // Requesting it has acknowledged the one before.
  await desk.send('bob', 'own')
  t.deepEqual(await own, ['own'])
  const last = next(loop, 1)
  await bob.send('alice', 'two')
  t.deepEqual(await last, ['two'])
  await loop.return(undefined)
  t.deepEqual(texts((await desk.inbox()).messages), ['a note', 'two'])
})

test('a second receive without `own` ends them; what was sent before a receive is not pushed', async (t) => {
  const server = await startLocalServer(t)
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await desk.send('bob', 'before')
  await phone.receive({ own: true })
  const heard = until(phone, 'the end')
  await desk.send('bob', 'own')
  await phone.receive()
  await desk.send('bob', 'after')
  await bob.send('alice', 'the end')
  t.deepEqual(await heard, ['own', 'the end'])
  t.deepEqual(texts(await hears(bob, 3)), ['before', 'own', 'after'])
})

test('a session that falls 1,000 own messages behind is closed', async (t) => {
  const server = await startLocalServer(t, { limits: { ...OFF, unacknowledged: 1 } })
  const [desk, phone, bob] = [await server.user('alice'), await server.user('alice'), await server.user('bob')]
  await phone.receive({ own: true })
  for (const text of ['fills the window', 'waits']) await bob.send('alice', text)
  const closed = new Promise<Error>((resolve) => phone.onLife('closed', resolve))
  for (let n = 0; n < 1000; n += 100)
    await Promise.all(Array.from({ length: 100 }, () => desk.send('bob', 'a further one')))
  await phone.inbox()
  await desk.send('bob', 'one too many')
  t.like(await closed, { failure: 'timed_out' })
})

const OFF = { requestRate: 1e6, requestBurst: 1e6 }
