import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { type Client, CreateRoom, QueryScheduled, ScheduleMessage } from '../../client/index.ts'
import { findRequestKey, insertRequestKey, Nodes, openDatabase, ownedByNodes, takeDue } from '../../db/index.ts'
import { startNodes } from '../support/cluster/nodes.ts'
import { refusal, texts } from '../support/requests.ts'

const HOUR = 3_600_000

async function startTwo(t: ExecutionContext) {
  const [one, two] = await startNodes(t, 2)
  if (one === undefined || two === undefined) throw new Error('two nodes were asked for')
  const db = await openDatabase(one.db as string)
  t.teardown(() => db.destroy())
  return { one, two, db }
}

/** Resolves when so many scheduled messages of a user are sent. */
async function sent(client: Client, count: number) {
  for (;;) {
    const { messages } = await client.request(QueryScheduled, { all: true })
    if (messages.filter(({ state }) => state === 'sent').length === count) return
    await nextTurn()
  }
}

const scheduled = (n: number) => ({ to: 'bob', text: `at the same time ${n}`, delay: 300, clientId: `s${n}` })

test('scheduled messages are sent once, though two nodes look for them at the same time', async (t) => {
  const { one, two, db } = await startTwo(t)
  const bob = await one.user('bob')
  const [here, there] = [await one.user('alice'), await two.user('alice')]
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? here : there).request(ScheduleMessage, scheduled(n))),
  )
  await sent(here, 20)
  t.is((await bob.inbox({ all: true, limit: 100 })).messages.length, 20)
  t.is((await db('chatmsg').where('client_id', 'like', 'scheduled-%').pluck('id')).length, 20)
})

/** A node that is alive and does nothing. */
async function idleNode(db: Knex) {
  const nodes = new Nodes(db, { time: () => Date.now() })
  const id = await nodes.join({ name: 'idle', version: '0', protocol: 1, settings: {} })
  return { id, end: () => nodes.leave(id) }
}

test('a message that a node was sending when it ended is sent by another one', async (t) => {
  const { two, db } = await startTwo(t)
  const bob = await two.user('bob')
  const alice = await two.user('alice')
  const idle = await idleNode(db)
  await alice.request(ScheduleMessage, { to: 'bob', text: 'interrupted', delay: HOUR })
  t.is((await takeDue(db, Date.now() + 2 * HOUR, idle.id))?.msg, 'interrupted')
  await alice.request(ScheduleMessage, { to: 'bob', text: 'another', delay: 1 })
  await sent(alice, 1)
  t.deepEqual(await db('scheduled').where({ state: 'sending' }).pluck('owner'), [idle.id], 'it may still send it')
  t.deepEqual((await ownedByNodes(db)).get(idle.id), { hooks: 0, sending: 1 })
  await idle.end()
  await db('scheduled').update({ next_at: 1 })
  await alice.request(ScheduleMessage, { to: 'bob', text: 'last', delay: 1 })
  await sent(alice, 3)
  t.deepEqual(texts((await bob.inbox({ all: true })).messages).sort(), ['another', 'interrupted', 'last'])
})

test('of twenty requests with one key over two nodes one is carried out, and all get its reply', async (t) => {
  const { one, two, db } = await startTwo(t)
  await one.user('bob')
  const [here, there] = [await one.user('alice'), await two.user('alice')]
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? here : there).request(CreateRoom, { group: 'once' }, { key: 'one key' }),
    ),
  )
  t.is(new Set(replies.map(({ id }) => id)).size, 1)
  t.is((await db('chatroom').where({ chatroom_name: 'once' })).length, 1)
})

test('a key that another node has under way waits for its reply; of a node that has ended the outcome is unknown', async (t) => {
  const { two, db } = await startTwo(t)
  const alice = await two.user('alice')
  await alice.request(CreateRoom, { group: 'club' }, { key: 'first' })
  const row = await findRequestKey(db, (await db('userinfo').first('id')).id, 'first')
  if (row === undefined) return t.fail()
  const idle = await idleNode(db)
  const underWay = { ...row, request_key: 'under way', reply: null, owner: idle.id }
  await insertRequestKey(db, underWay)
  const waiting = alice.request(CreateRoom, { group: 'club' }, { key: 'under way' })
  await db('request_key').where({ request_key: 'under way' }).update({ reply: row.reply })
  t.truthy(await waiting)
  await insertRequestKey(db, { ...underWay, request_key: 'cut short' })
  await idle.end()
  t.is(await refusal(t, alice.request(CreateRoom, { group: 'club' }, { key: 'cut short' })), 'outcome_unknown')
})
