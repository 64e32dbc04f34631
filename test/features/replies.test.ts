import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import {
  type ChatMessage,
  type Client,
  CreateRoom,
  JoinRoom,
  LeaveRoom,
  OnNewMessage,
  ScheduleMessage,
  SendMessage,
  type ValuesOf,
} from '../../client/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { nextPush, refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const GROUP = { group: 'ops' }
const marks = (messages: readonly ChatMessage[]) => messages.map(({ text, replyTo }) => [text, replyTo])

async function people<const N extends string>(t: ExecutionContext, ...names: N[]) {
  const stage = await startLocalServer(t)
  const clients: Record<string, Client> = {}
  for (const name of names) clients[name] = await stage.user(name)
  return { stage, ...(clients as Record<N, Client>) }
}

/** Alice's group of these members. */
async function group(alice: Client, ...members: Client[]) {
  await alice.request(CreateRoom, GROUP)
  for (const member of members) await member.request(JoinRoom, GROUP)
}

test('a reply names the message that it answers: in the push, the backlog, the inbox, the history and the search', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const asked = await alice.send('bob', 'tea or coffee?')
  await alice.receive()
  const pushed = nextPush(alice, OnNewMessage)
  await bob.send('alice', 'tea', { replyTo: asked.id })
  t.like((await pushed).messages[0], { text: 'tea', replyTo: asked.id, editedAt: 0 })
  t.deepEqual(marks((await alice.inbox()).messages), [['tea', asked.id]])
  t.deepEqual(marks((await alice.search('TEA')).messages), [
    ['tea or coffee?', undefined],
    ['tea', asked.id],
  ])
  for (const [one, other] of [
    [alice, 'bob'],
    [bob, 'alice'],
  ] as const)
    t.deepEqual(marks((await one.history(other)).messages), [
      ['tea or coffee?', undefined],
      ['tea', asked.id],
    ])
  const phone = await stage.user('alice')
  const backlog = nextPush(phone, OnNewMessage)
  await phone.receive()
  t.like((await backlog).messages[0], { text: 'tea', replyTo: asked.id })
})

test('a reply in a group names the answered message to every member, later ones too', async (t) => {
  const { alice, bob, carol, dave } = await people(t, 'alice', 'bob', 'carol', 'dave')
  await group(alice, bob, carol)
  const asked = await alice.send(GROUP, 'who is on call?')
  await dave.request(JoinRoom, GROUP)
  await bob.send(GROUP, 'me', { replyTo: asked.id })
  t.deepEqual(marks((await carol.inbox()).messages).at(-1), ['me', asked.id])
  t.deepEqual(marks((await dave.groupHistory('ops')).messages), [['me', asked.id]])
  t.is(await refusal(t, dave.send(GROUP, 'what?', { replyTo: asked.id })), 'no_message', 'he joined after it')
})

test('a message of another conversation, an unreadable one and an unknown one are refused alike', async (t) => {
  const { alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  await group(alice, bob)
  const [toBob, toCarol] = [await alice.send('bob', 'for Bob'), await alice.send('carol', 'for Carol')]
  const inGroup = await alice.send(GROUP, 'for all')
  const gone = await alice.send('bob', 'regretted')
  await alice.recall(gone.id)
  for (const id of [toCarol.id, inGroup.id, gone.id, toBob.id + 1000, Number.MAX_SAFE_INTEGER])
    t.is(await refusal(t, bob.send('alice', 'to what?', { replyTo: id })), 'no_message', String(id))
  for (const id of [toBob.id, toBob.id + 1000])
    t.is(await refusal(t, bob.send(GROUP, 'to what?', { replyTo: id })), 'no_message', String(id))
  t.is(await refusal(t, carol.send(GROUP, 'me too', { replyTo: inGroup.id })), 'not_member')
  t.deepEqual((await alice.inbox()).messages, [])
})

test('a reply to a closed group is refused like one to a group that does not exist', async (t) => {
  const { alice, carol } = await people(t, 'alice', 'carol')
  await alice.request(CreateRoom, { group: 'secret', open: false })
  const { id } = await alice.send({ group: 'secret' }, 'hidden')
  for (const name of ['secret', 'nothing'])
    t.is(await refusal(t, carol.send({ group: name }, 'hello', { replyTo: id })), 'group_not_exist')
})

test('messages of one connection keep their order, replies among them', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'count')
  const replies = [0, id, 0, id, id, 0]
  const sent = await Promise.all(replies.map((replyTo, n) => bob.send('alice', String(n), { replyTo })))
  t.deepEqual(
    sent.map((message) => message.id),
    sent.map((message) => message.id).toSorted((a, b) => a - b),
  )
  t.deepEqual(
    marks((await alice.inbox()).messages),
    replies.map((replyTo, n) => [String(n), replyTo || undefined]),
  )
})

test('a reply sent again is a repeat, even if the answered message was recalled meanwhile [D-2]', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'question')
  const answer = () => bob.send('alice', 'answer', { replyTo: id, clientId: 'a-1' })
  const first = await answer()
  await alice.recall(id)
  t.deepEqual(await answer(), { ...first, repeat: true })
  t.is(await refusal(t, bob.send('alice', 'answer', { replyTo: id, clientId: 'a-2' })), 'no_message')
  t.deepEqual(marks((await alice.inbox()).messages), [['answer', id]])
})

test('replies survive a restart of the server', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'question')
  await bob.send('alice', 'answer', { replyTo: id })
  await stage.close()
  const again = await startLocalServer(t, { data: stage.data })
  const back = await again.user('alice')
  t.deepEqual(marks((await back.inbox()).messages), [['answer', id]])
})

test('a scheduled reply is checked when it is scheduled and when it is sent', async (t) => {
  const clock = new TestClock()
  const stage = await startLocalServer(t, { clock, limits: { ping: 1e12, dead: 1e12 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'question')
  const later = (replyTo: number) =>
    bob.request(ScheduleMessage, { to: 'alice', text: 'answer', delay: 60_000, replyTo })
  t.is(await refusal(t, later(id + 1)), 'no_message')
  await later(id)
  await alice.receive()
  const pushed = nextPush(alice, OnNewMessage)
  clock.jump(60_000)
  let heard: ValuesOf<typeof OnNewMessage> | undefined
  const listening = pushed.then((values) => {
    heard = values
  })
  // The scheduler may set its timer only now.
  while (heard === undefined) {
    await nextTurn()
    clock.jump(1)
  }
  await listening
  t.like(heard.messages[0], { text: 'answer', replyTo: id })
})

test('a member who left cannot answer, and a client that knows no replies sends as before', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  await group(alice, bob)
  const { id } = await alice.send(GROUP, 'hello')
  await bob.request(LeaveRoom, GROUP)
  t.is(await refusal(t, bob.send(GROUP, 'bye', { replyTo: id })), 'not_member')
  // Without the field, as an older client.
  const { replyTo: _new, ...older } = SendMessage.fields
  t.true(Object.keys(older).length > 0)
  await bob.request({ ...SendMessage, fields: older } as typeof SendMessage, { to: 'alice', text: 'as ever' })
  t.deepEqual(marks((await alice.inbox()).messages), [['as ever', undefined]])
})
