import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { dataPaths } from '../../cli/server/paths.ts'
import {
  type ChatMessage,
  type Client,
  CreateRoom,
  DissolveRoom,
  JoinRoom,
  LeaveRoom,
  MessageRecalled,
  OnNewMessage,
  QueryRooms,
} from '../../client/index.ts'
import { nextPush, refusal, texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const inbox = async (client: Client) => texts((await client.inbox()).messages)
const unreadIn = async (client: Client, group: string) =>
  (await client.request(QueryRooms, {})).groups.find((one) => one.group === group)?.unread

/** The recalls that a client is notified of from now on. */
function recallsHeard(client: Client): { id: number; from: string; to: string; group: string }[] {
  const heard: { id: number; from: string; to: string; group: string }[] = []
  client.on(MessageRecalled, (values) => heard.push(values))
  return heard
}

async function people<const N extends string>(t: ExecutionContext, ...names: N[]) {
  const stage = await startLocalServer(t)
  const clients: Record<string, Client> = {}
  for (const name of names) clients[name] = await stage.user(name)
  return { stage, ...(clients as Record<N, Client>) }
}

test('a recalled private message is announced to all sessions of both users but the requesting one', async (t) => {
  const { stage, alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  const desk = await stage.user('alice')
  const phone = await stage.user('bob')
  const { id } = await alice.send('bob', 'too early')
  await alice.send('bob', 'this one stays')
  const [hers, carols] = [recallsHeard(alice), recallsHeard(carol)]
  const hearing = [desk, bob, phone].map((client) => nextPush(client, MessageRecalled))
  await alice.recall(id)
  for (const told of await Promise.all(hearing)) t.deepEqual(told, { id, from: 'alice', to: 'bob', group: '' })

  t.deepEqual(await inbox(bob), ['this one stays'])
  t.deepEqual(texts((await bob.inbox({ all: true })).messages), ['this one stays'])
  for (const [one, other] of [
    [alice, 'bob'],
    [bob, 'alice'],
  ] as const)
    t.deepEqual(texts((await one.history(other)).messages), ['this one stays'])
  t.is(await bob.receive(), 1)
  await carol.inbox()
  t.deepEqual([hers, carols], [[], []])
})

test('a message recalled while its recipient is offline is neither pushed nor counted [D-8]', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  await bob.close()
  const first = await alice.send('bob', 'never seen')
  await alice.send('bob', 'seen')
  await alice.recall(first.id)
  const back = await stage.user('bob')
  const pushed = nextPush(back, OnNewMessage)
  t.is(await back.receive(), 1)
  t.deepEqual(
    (await pushed).messages.map(({ text }) => text),
    ['seen'],
  )
})

test('only the sender recalls a message, and only once', async (t) => {
  const { alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  const { id } = await alice.send('bob', 'hers')
  for (const other of [bob, carol]) t.is(await refusal(t, other.recall(id)), 'no_message')
  t.deepEqual(await inbox(bob), ['hers'])
  for (const unknown of [0, id + 1, Number.MAX_SAFE_INTEGER])
    t.is(await refusal(t, alice.recall(unknown)), 'no_message', String(unknown))
  const outcomes = await Promise.allSettled([alice.recall(id), alice.recall(id)])
  t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.is(await refusal(t, alice.recall(id)), 'no_message')
})

test('a recalled note to oneself is announced once to the other sessions', async (t) => {
  const { stage, alice } = await people(t, 'alice')
  const desk = await stage.user('alice')
  const heard = recallsHeard(desk)
  const { id } = await alice.send('alice', 'do not forget')
  await alice.recall(id)
  t.deepEqual(await inbox(desk), [])
  t.deepEqual(heard, [{ id, from: 'alice', to: 'alice', group: '' }])
})

test('a recalled message sent again with its client id is a repeat and is not pushed [D-2] [D-8]', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const first = await alice.send('bob', 'regretted', { clientId: 'r-1' })
  await alice.recall(first.id)
  const pushes: unknown[] = []
  bob.on(OnNewMessage, (push) => pushes.push(push))
  t.is(await bob.receive(), 0)
  t.deepEqual(await alice.send('bob', 'regretted', { clientId: 'r-1' }), { ...first, repeat: true })
  t.deepEqual(await inbox(bob), [])
  t.deepEqual(pushes, [])
})

test('a recalled group message is announced to those members who could read it', async (t) => {
  const { alice, bob, carol, dave, erin } = await people(t, 'alice', 'bob', 'carol', 'dave', 'erin')
  await alice.request(CreateRoom, { group: '值班' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: '值班' })
  const { id } = await bob.send({ group: '值班' }, 'wrong window')
  await bob.send({ group: '值班' }, 'right window')
  await dave.request(JoinRoom, { group: '值班' })
  t.is(await unreadIn(carol, '值班'), 2)
  t.is(await refusal(t, alice.recall(id)), 'no_message', 'not even the owner’s to recall')

  const outside = [dave, erin].map(recallsHeard)
  const hearing = [alice, carol].map((client) => nextPush(client, MessageRecalled))
  await bob.recall(id)
  for (const told of await Promise.all(hearing)) t.deepEqual(told, { id, from: 'bob', to: '', group: '值班' })
  t.is(await unreadIn(carol, '值班'), 1)
  t.is(await carol.receive(), 1)
  t.deepEqual(await inbox(carol), ['right window'])
  t.deepEqual(texts((await bob.groupHistory('值班')).messages), ['right window'])
  await Promise.all([dave.inbox(), erin.inbox()])
  t.deepEqual(outside, [[], []])
})

test('a sender may recall after leaving the group or its end; only users who can read the message are notified', async (t) => {
  const { alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  await alice.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member.request(JoinRoom, { group: 'ops' })
  const [first, second] = [await bob.send({ group: 'ops' }, 'one'), await alice.send({ group: 'ops' }, 'two')]
  await bob.request(LeaveRoom, { group: 'ops' })
  const told = nextPush(carol, MessageRecalled)
  await bob.recall(first.id)
  t.like(await told, { id: first.id, group: 'ops' })
  await alice.request(DissolveRoom, { group: 'ops' })
  const heard = recallsHeard(carol)
  await alice.recall(second.id)
  await carol.inbox()
  t.deepEqual(heard, [])
})

test('a recalled message makes room in the window, and leaves the client’s queue [D-4] [D-8]', async (t) => {
  const stage = await startLocalServer(t, { limits: { unacknowledged: 2 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const sent = []
  for (const text of ['one', 'two', 'three']) sent.push(await alice.send('bob', text))

  const heard: string[] = []
  const reading = bob.messages({ acknowledge: false })
  const first = await reading.next()
  heard.push((first.value as ChatMessage).text)
  // Two are in flight and not acknowledged: the third is pushed only because the second is recalled.
  const third = nextPush(bob, OnNewMessage)
  await alice.recall((sent[1] as { id: number }).id)
  t.deepEqual(
    (await third).messages.map(({ text }) => text),
    ['three'],
  )
  const next = await reading.next()
  heard.push((next.value as ChatMessage).text)
  t.deepEqual(heard, ['one', 'three'])
})

test('a recall by the operator as Alice is audited with the id of the message', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'secret words')
  const operator = await stage.operator()
  t.is(await refusal(t, operator.recall(id)), 'login_required')
  await operator.actAs('alice')
  const told = Promise.all([nextPush(alice, MessageRecalled), nextPush(bob, MessageRecalled)])
  await operator.recall(id)
  await told
  const audit = await readFile(dataPaths(stage.data).audit, 'utf8')
  const last = JSON.parse(audit.trim().split('\n').at(-1) ?? '')
  t.like(last, { event: 'recall_message', by: 'operator', as: 'alice', id })
  t.notRegex(audit, /secret words/)
})
