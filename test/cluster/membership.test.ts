import { copyFile, rm, writeFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import pino from 'pino'
import { NodeLease, RENEW_MS } from '../../cli/server/cluster/node-lease.ts'
import { dataPaths } from '../../cli/server/paths.ts'
import { LEASE_MS, migrate, Nodes, openDatabase } from '../../db/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { Bus } from '../support/cluster/bus.ts'
import { copyKeys, sharedDatabase, startNode, startNodes } from '../support/cluster/nodes.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const onMariadb = process.env.TEST_DATABASE === undefined ? test.skip : test

test('nodes that run are alive in the database, and one that stops is not', async (t) => {
  const [one, two] = await startNodes(t, 2)
  if (one?.db === undefined || two === undefined) return t.fail()
  const db = await openDatabase(one.db)
  t.teardown(() => db.destroy())
  const nodes = new Nodes(db, { time: () => Date.now() })
  t.deepEqual(
    (await nodes.alive()).map(({ name }) => name),
    ['node-1', 'node-2'],
  )
  await two.close()
  t.deepEqual(
    (await nodes.alive()).map(({ name }) => name),
    ['node-1'],
  )
})

/** A lease on a clock that waits for renewals. */
async function openLease(t: ExecutionContext) {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const statements = new Set<Promise<unknown>>()
  const watch = <T>(statement: Promise<T>): Promise<T> => {
    const end = () => statements.delete(statement)
    statements.add(statement)
    statement.then(end, end)
    return statement
  }
  class WatchedNodes extends Nodes {
    isDown = false

    override renew(id: number, state: object) {
      return watch(this.isDown ? Promise.reject(new Error('the database does not answer')) : super.renew(id, state))
    }

    override livingIds(but: number) {
      return watch(super.livingIds(but))
    }
  }
  const settled = async () => {
    do {
      await Promise.allSettled(statements)
      await setImmediate()
    } while (statements.size > 0)
  }
  const clock = new TestClock(undefined, settled)
  const nodes = new WatchedNodes(db, clock)
  const joinedAt = clock.now()
  const id = await nodes.join({ name: 'one', version: '1', protocol: 1, settings: {} })
  const lease = new NodeLease(nodes, id, { clock, log: pino({ level: 'silent' }), joinedAt, others: [] })
  t.teardown(() => lease.end())
  return { clock, nodes, id, lease }
}

test('a node renews its lease with what it does', async (t) => {
  const { clock, nodes, id, lease } = await openLease(t)
  lease.reportWith(() => ({ sessions: 3 }))
  await clock.advance(3 * LEASE_MS)
  t.true(await nodes.isAlive(id))
  t.like(await nodes.alive(), [{ state: { sessions: 3 } }])
  const other = await nodes.join({ name: 'two', version: '1', protocol: 1, settings: {} })
  await clock.advance(RENEW_MS)
  t.deepEqual(lease.others, [other])
})

test('a node that was paused finds that its lease has ended, and stops', async (t) => {
  const { clock, nodes, id, lease } = await openLease(t)
  await nodes.leave(id)
  await clock.advance(RENEW_MS)
  t.regex((await lease.lost).message, /the lease of this node has ended: it was paused, or cut from the database/)
})

test('a node that cannot renew its lease stops when the others take it for dead', async (t) => {
  const { clock, nodes, lease } = await openLease(t)
  let lost: Error | undefined
  void lease.lost.then((error) => {
    lost = error
  })
  nodes.isDown = true
  await clock.advance(LEASE_MS)
  t.is(lost, undefined)
  await clock.advance(RENEW_MS)
  t.regex(lost?.message ?? '', /could not be renewed for 10 s/)
})

test('a node without keys of its own is told to copy those of the others', async (t) => {
  const bus = new Bus()
  const [db, one, two] = [await sharedDatabase(t), await tempFolder(t), await tempFolder(t)]
  await startNode(t, bus, { data: one, db })
  const error = await t.throwsAsync(startNode(t, bus, { data: two, db }))
  t.regex(error?.message ?? '', /no key of the cluster yet: copy server\.key and server\.secret from/)
  await copyKeys(one, two)
  const second = await startNode(t, bus, { data: two, db })
  t.is(second.bus.node, 2)
})

test('a node with another key or another secret is refused', async (t) => {
  const bus = new Bus()
  const [db, one, other] = [await sharedDatabase(t), await tempFolder(t), await tempFolder(t)]
  await startNode(t, bus, { data: one, db })
  const stranger = await startLocalServer(t)
  await stranger.close()
  await copyKeys(stranger.data, other)
  const foreign = await t.throwsAsync(startNode(t, bus, { data: other, db }))
  t.regex(foreign?.message ?? '', /the cluster has the server key SHA256:.*, this node SHA256:.*: copy server\.key/)
  await copyFile(dataPaths(one).key, dataPaths(other).key)
  const secret = await t.throwsAsync(startNode(t, bus, { data: other, db }))
  t.regex(secret?.message ?? '', /the secret of this node is not that of the cluster: copy/)
  await rm(dataPaths(other).secret)
  await writeFile(dataPaths(other).secret, '')
  await copyKeys(one, other)
  await t.notThrowsAsync(startNode(t, bus, { data: other, db }))
})

test('nodes have the same options of plugins', async (t) => {
  const bus = new Bus()
  const [db, one, two] = [await sharedDatabase(t), await tempFolder(t), await tempFolder(t)]
  const first = await startNode(t, bus, { data: one, db, pluginOptions: { friends: { messagesFrom: 'friends' } } })
  await copyKeys(one, two)
  const error = await t.throwsAsync(startNode(t, bus, { data: two, db }))
  t.regex(error?.message ?? '', /the options of the plugin friends differ from those of node node-1: give all nodes/)
  await first.close()
  await t.notThrowsAsync(startNode(t, bus, { data: two, db }), 'alone it may have others')
})

test('nodes have their files in one place', async (t) => {
  const bus = new Bus()
  const [db, one, two] = [await sharedDatabase(t), await tempFolder(t), await tempFolder(t)]
  const files = await tempFolder(t)
  await startNode(t, bus, { data: one, db, files })
  await copyKeys(one, two)
  const error = await t.throwsAsync(startNode(t, bus, { data: two, db }))
  t.regex(
    error?.message ?? '',
    /node node-1 has its files in .*, this one in the data folder: give all nodes the same --f/,
  )
  await t.notThrowsAsync(startNode(t, bus, { data: two, db, files }))
})

test('a node does not run beside one that speaks another version', async (t) => {
  const [one] = await startNodes(t, 1)
  if (one?.db === undefined) return t.fail()
  const db = await openDatabase(one.db)
  t.teardown(() => db.destroy())
  await db('node').update({ protocol: 99, version: '9.9.9' })
  const data = await tempFolder(t)
  await copyKeys(one.data, data)
  const error = await t.throwsAsync(startNode(t, new Bus(), { data, db: one.db }))
  t.regex(error?.message ?? '', /node node-1 runs chatctl 9\.9\.9, beside which .* cannot run: stop all nodes/)
})

onMariadb('a server without a cluster is refused while a node runs, and a node while such a server runs', async (t) => {
  const [one] = await startNodes(t, 1)
  if (one?.db === undefined) return t.fail()
  const data = await tempFolder(t)
  const alone = await t.throwsAsync(startLocalServer(t, { data, db: one.db }))
  t.regex(alone?.message ?? '', /another server or command uses the database .* as node of a cluster: node-1/)
  await one.close()
  const lonely = await startLocalServer(t, { data, db: one.db })
  const node = await t.throwsAsync(startNode(t, new Bus(), { data: one.data, db: one.db }))
  t.is(node?.name, 'DatabaseInUse')
  await lonely.close()
})
