import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { LEASE_MS, livingNodes, migrate, type NewNode, Nodes } from '../../db/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

const NODE: NewNode = { name: 'one', version: '1.0.0', protocol: 1, settings: { legacy: true } }

async function openNodes(t: ExecutionContext): Promise<{ db: Knex; nodes: Nodes; passes(ms: number): Promise<void> }> {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  let time = 1_000_000
  return {
    db,
    nodes: new Nodes(db, { time: () => time }),
    /** MariaDB has a clock of its own: the leases are moved instead. */
    async passes(ms) {
      time += ms
      if (process.env.TEST_DATABASE !== undefined) await db('node').decrement('until', ms)
    },
  }
}

test('a node is alive while it renews its lease', async (t) => {
  const { nodes, passes } = await openNodes(t)
  const one = await nodes.join(NODE)
  await passes(LEASE_MS - 1000)
  t.true(await nodes.renew(one, { sessions: 3 }))
  await passes(LEASE_MS - 1000)
  t.true(await nodes.isAlive(one))
  const [row] = await nodes.alive()
  t.like(row, { ...NODE, id: one, state: { sessions: 3 } })
  t.true((row?.silentFor ?? 0) >= LEASE_MS - 1000)
})

test('a node that was silent for too long cannot come back, and its id is not used again', async (t) => {
  const { db, nodes, passes } = await openNodes(t)
  const one = await nodes.join(NODE)
  const two = await nodes.join({ ...NODE, name: 'two' })
  await passes(LEASE_MS - 1000)
  await nodes.renew(one, {})
  await passes(1000)
  t.false(await nodes.isAlive(two))
  t.false(await nodes.renew(two, {}))
  t.deepEqual(
    (await nodes.alive()).map(({ id }) => id),
    [one],
  )
  const three = await nodes.join({ ...NODE, name: 'three' })
  t.deepEqual([one, two, three], [1, 2, 3])
  t.deepEqual(await db('node').orderBy('id').pluck('name'), ['one', 'three'], 'the row of two is removed')
})

test('what a node owned is free when it has left', async (t) => {
  const { db, nodes } = await openNodes(t)
  const [one, two] = [await nodes.join(NODE), await nodes.join(NODE)]
  await db.schema.createTable('owned', (table) => {
    table.integer('id')
    table.bigInteger('owner')
  })
  await db('owned').insert([
    { id: 1, owner: one },
    { id: 2, owner: two },
  ])
  await nodes.leave(one)
  t.is(await db('owned').whereNotIn('owner', nodes.living()).update({ owner: two }), 1)
  t.deepEqual(await db('owned').pluck('owner'), [two, two])
})

test('nodes that join at once get different ids', async (t) => {
  const { nodes } = await openNodes(t)
  const ids = await Promise.all([1, 2, 3, 4].map(() => nodes.join(NODE)))
  t.deepEqual(
    ids.sort((a, b) => a - b),
    [1, 2, 3, 4],
  )
})

test('a database of an older version has no living node', async (t) => {
  const { db } = await emptyDatabase(t)
  t.deepEqual(await livingNodes(db, { time: () => 0 }), [])
  await migrate(db)
  t.deepEqual(await livingNodes(db, { time: () => 0 }), [])
})
