import test, { type ExecutionContext } from 'ava'
import {
  BlockUser,
  type Client,
  CreateRoom,
  JoinRoom,
  KickFromRoom,
  OnNewMessage,
  RenameRoom,
  SetUserActive,
} from '../../client/index.ts'
import { openDatabase } from '../../db/index.ts'
import { InviteToRoom } from '../../plugins/index.ts'
import { type Node, startNodes } from '../support/cluster/nodes.ts'
import { clusterClock } from '../support/cluster/time.ts'
import { hears, refusal, texts } from '../support/requests.ts'

/** Two nodes; the second one hears nothing of the first while it is cut off, and its clock stands still. */
async function twoNodes(t: ExecutionContext): Promise<[Node, Node]> {
  const [one, two] = await startNodes(t, 2, { clock: clusterClock() })
  if (one === undefined || two === undefined) throw new Error('two nodes were asked for')
  return [one, two]
}

const opsOf = async (owner: Client, members: readonly Client[]) => {
  await owner.request(CreateRoom, { group: 'ops' })
  for (const member of members) await member.request(JoinRoom, { group: 'ops' })
}

test('Carol is kicked on a node that hers does not hear: she cannot write to the group any more', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, carol] = [await one.user('alice'), await two.user('carol')]
  await opsOf(alice, [carol])
  await carol.send({ group: 'ops' }, 'hello')
  two.bus.cut()
  await alice.request(KickFromRoom, { group: 'ops', user: 'carol' })
  t.is(await refusal(t, carol.send({ group: 'ops' }, 'still here')), 'not_member')
})

test('Bob is blocked on a node that his does not hear: he cannot write to Alice any more', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  await bob.send('alice', 'hello')
  two.bus.cut()
  await alice.request(BlockUser, { user: 'bob' })
  t.is(await refusal(t, bob.send('alice', 'it is me')), 'blocked')
  t.is((await bob.send('carla', 'hello').catch((error) => error)).failure, 'user_not_exist')
})

test('a disabled account gets nothing and writes nothing, also where nobody heard of it', async (t) => {
  const [one, two] = await twoNodes(t)
  const [bob, carol] = [await two.user('bob'), await two.user('carol')]
  await carol.send('bob', 'hello')
  two.bus.cut()
  await (await one.operator()).request(SetUserActive, { user: 'bob', active: false })
  t.is(await refusal(t, bob.send('carol', 'still here')), 'account_disabled')
  t.is(await refusal(t, carol.send('bob', 'are you there?')), 'user_not_exist')
})

test('Dave joins on one node, and hears on the other what is written there, although it did not hear of him', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob, dave] = [await one.user('alice'), await two.user('bob'), await one.user('dave')]
  await opsOf(alice, [bob])
  const phone = await two.user('dave')
  await phone.receive()
  await bob.send({ group: 'ops' }, 'before Dave')
  two.bus.cut()
  await dave.request(JoinRoom, { group: 'ops' })
  const hearing = hears(phone, 1)
  await bob.send({ group: 'ops' }, 'welcome')
  t.deepEqual(texts(await hearing), ['welcome'])
})

test('a change that allows the message only costs a second check', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  await opsOf(alice, [bob])
  await bob.send({ group: 'ops' }, 'hello')
  two.bus.cut()
  await alice.request(RenameRoom, { group: 'ops', name: 'operators' })
  t.false((await bob.send({ group: 'ops' }, 'the name is checked at the node')).repeat)
  t.is((await alice.groupHistory('operators')).messages.at(-1)?.group, 'operators')
})

test('edits, recalls and reactions are checked like messages, although the node of their user did not hear of the change', async (t) => {
  const [one, two] = await twoNodes(t)
  const [alice, bob, carol] = [await one.user('alice'), await two.user('bob'), await two.user('carol')]
  await opsOf(alice, [carol])
  const hers = await carol.send({ group: 'ops' }, 'hello')
  const his = await bob.send('alice', 'hello')
  const answer = await alice.send('bob', 'hello, Bob')
  two.bus.cut()
  await alice.request(KickFromRoom, { group: 'ops', user: 'carol' })
  t.is(await refusal(t, carol.edit(hers.id, 'after her time')), 'not_member')
  t.is(await refusal(t, carol.react(hers.id, '👍')), 'no_message')
  await carol.recall(hers.id)
  await alice.request(BlockUser, { user: 'bob' })
  t.is(await refusal(t, bob.react(answer.id, '👍')), 'blocked')
  t.is(await refusal(t, bob.edit(his.id, 'it is me')), 'blocked')
  await bob.recall(his.id)
})

test('a disabled user changes no message, also where nobody heard of it', async (t) => {
  const [one, two] = await twoNodes(t)
  const operator = await one.operator()
  await one.user('alice')
  for (const [name, change] of [
    ['bob', (client: Client, id: number) => client.edit(id, 'changed')],
    ['carol', (client: Client, id: number) => client.react(id, '👍')],
    ['dave', (client: Client, id: number) => client.recall(id)],
  ] as const) {
    const user = await two.user(name)
    const { id } = await user.send('alice', 'hello')
    two.bus.cut()
    await operator.request(SetUserActive, { user: name, active: false })
    t.is(await refusal(t, change(user, id)), 'account_disabled')
    two.bus.heal()
  }
  const db = await openDatabase(two.db ?? '')
  t.teardown(() => db.destroy())
  t.deepEqual(await db('chatmsg').orderBy('id').select('msg', 'isActive'), Array(3).fill({ msg: 'hello', isActive: 1 }))
  t.is((await db('message_reaction')).length, 0)
})

test('Carol is kicked and invited again and again while she writes on another node: she is a member at each of her messages', async (t) => {
  const [one, two] = await startNodes(t, 2)
  if (one === undefined || two === undefined) return t.fail()
  const [alice, bob, carol, hers] = [
    await one.user('alice'),
    await two.user('bob'),
    await two.user('carol'),
    await one.user('carol'),
  ]
  await opsOf(alice, [bob, hers])
  const heard: string[] = []
  bob.on(OnNewMessage, ({ messages }) => heard.push(...texts(messages)))
  await bob.receive()
  let isOver = false
  const accepted: string[] = []
  const writing = async () => {
    for (let n = 0; !isOver; n++) {
      const sent = await carol.send({ group: 'ops' }, `${n}`).catch((error) => error)
      if ('id' in sent) accepted.push(`${n}`)
      else t.is(sent.failure, 'not_member')
    }
  }
  const kicking = async () => {
    for (let n = 0; n < 15; n++) {
      await alice.request(KickFromRoom, { group: 'ops', user: 'carol' })
      await alice.request(InviteToRoom, { group: 'ops', user: 'carol' })
      await hers.request(JoinRoom, { group: 'ops' })
    }
    isOver = true
  }
  await Promise.all([writing(), kicking()])
  const last = new Promise((resolve) =>
    bob.on(OnNewMessage, ({ messages }) => texts(messages).includes('end') && resolve(0)),
  )
  await alice.send({ group: 'ops' }, 'end')
  await last
  t.deepEqual(heard, [...accepted, 'end'])

  const db = await openDatabase(two.db ?? '')
  t.teardown(() => db.destroy())
  const [{ id: carolId }] = await db('userinfo').where({ username: 'carol' })
  const changes: number[] = await db('change_log')
    .where({ topic: 'group', target_id: carolId })
    .orderBy('id')
    .pluck('id')
  const messages: number[] = await db('chatmsg').where({ user_id: carolId }).pluck('id')
  t.true(messages.length > 0)
  // She joins with the first change, is kicked with the second, and so on.
  for (const id of messages) t.is(changes.filter((change) => change < id).length % 2, 1)
})
