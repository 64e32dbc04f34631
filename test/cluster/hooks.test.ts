import test, { type ExecutionContext } from 'ava'
import { AddHook, ChangeHook, QueryHooks, RotateHook } from '../../client/index.ts'
import { openDatabase, updateHook } from '../../db/index.ts'
import { startNodes } from '../support/cluster/nodes.ts'
import { startReceiver } from '../support/http/receiver.ts'
import { refusal } from '../support/requests.ts'

async function openStage(t: ExecutionContext) {
  const receiver = await startReceiver(t)
  const pluginOptions = { hooks: { networks: ['127.0.0.1'], ports: [receiver.port] } }
  const [one, two] = await startNodes(t, 2, { pluginOptions })
  if (one === undefined || two === undefined) throw new Error('two nodes were asked for')
  await one.user('bob')
  const [here, there] = [await one.operator(), await two.operator()]
  const { hook } = await here.request(AddHook, { user: 'bob', url: receiver.url, kinds: '', reply: false, to: [] })
  const db = await openDatabase(one.db as string)
  t.teardown(() => db.destroy())
  return { receiver, one, two, here, there, hook, db, ownerOf: async () => (await db('hook').first('owner')).owner }
}

test('the events of a hook are posted by one node, and by another one when that has ended', async (t) => {
  const { receiver, one, two, there, ownerOf } = await openStage(t)
  const alice = await two.user('alice')
  await alice.send('bob', 'to the first node')
  await receiver.arrived(1)
  t.is(Number(await ownerOf()), one.bus.node)
  await one.close()
  await alice.send('bob', 'to the second node')
  await receiver.arrived(2)
  t.deepEqual(
    receiver.received.map(({ data }) => data.text),
    ['to the first node', 'to the second node'],
  )
  t.is(Number(await ownerOf()), two.bus.node)
  t.like((await there.request(QueryHooks, {})).hooks, { 0: { state: 'ok', pending: 0 } })
})

test('a hook is managed at any node: the one that is asked delivers for it from then on', async (t) => {
  const { receiver, two, here, there, hook, ownerOf } = await openStage(t)
  const alice = await two.user('alice')
  t.like((await there.request(QueryHooks, {})).hooks, { 0: { hook, user: 'bob', state: 'ok' } })
  await there.request(ChangeHook, { hook, change: 'disable' })
  t.is(Number(await ownerOf()), two.bus.node)
  await alice.send('bob', 'while it is disabled')
  t.like((await here.request(QueryHooks, {})).hooks, { 0: { state: 'disabled', reason: 'disabled by an admin' } })
  await there.request(ChangeHook, { hook, change: 'enable' })
  await receiver.arrived(1)
  await here.request(RotateHook, { hook })
  await alice.send('bob', 'with two secrets')
  await receiver.arrived(2)
  t.is(String(receiver.received[1]?.headers['webhook-signature']).split(' ').length, 2)
  await there.request(ChangeHook, { hook, change: 'remove' })
  t.is(await refusal(t, here.request(RotateHook, { hook })), 'no_hook')
})

test('a node stores nothing of a hook that another one has taken', async (t) => {
  const { one, two, there, hook, db } = await openStage(t)
  await there.request(ChangeHook, { hook, change: 'disable' })
  t.is(await updateHook(db, { id: hook, owner: one.bus.node }, { disabled: '' }), 0)
  t.like(await db('hook').first(), { disabled: 'disabled by an admin' })
  t.is(await updateHook(db, { id: hook, owner: two.bus.node }, { disabled: '' }), 1)
})
