import test from 'ava'
import type { Knex } from 'knex'
import type { Client } from '../../client/index.ts'
import { clientMessage, definePlugin } from '../../core/index.ts'
import { ConsumerWriter, insertConsumer, migrate } from '../../db/index.ts'
import { AcknowledgeEvent, MoveConsumer, QueryConsumers, RATES_OFF } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'
import { Faults } from '../support/databases/fault-injection.ts'
import { openFaultServer } from '../support/faults/fault-server.ts'
import { refusal } from '../support/requests.ts'

const keep = (client: Client, key: string, state: string) => client.acknowledgeEvent('main', 0, { key, state })

const create = (client: Client) => client.request(MoveConsumer, { consumer: 'main', after: 0 })

/** The size of all state as the consumer's row has it, and as it is. */
async function usageOf(db: Knex) {
  const stored = await db('consumer').where({ name: 'main' }).first('state_keys', 'state_bytes')
  const states: string[] = await db('consumer_state').where({ name: 'main' }).pluck('state')
  const state_bytes = states.reduce((sum, state) => sum + Buffer.byteLength(state), 0)
  return { stored, counted: { state_keys: states.length, state_bytes } }
}

/** The database is full: no statement is repeated. */
const fullOf = ({ codes }: Faults) => codes.find((code) => code.endsWith('_FULL')) as string

test('storing state counts no rows, neither below the limits nor at them', async (t) => {
  const { db, session } = await openFaultServer(t, { ...RATES_OFF, consumerKeys: 30, consumerBytes: 1000 })
  const { client: robot } = await session('robot')
  await create(robot)
  const statements: string[] = []
  db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
  const few = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => keep(robot, `key ${n}`, '鹰')))
  t.is(few.filter(({ status }) => status === 'fulfilled').length, 30)
  for (let n = 0; n < 5; n++) t.is(await refusal(t, keep(robot, 'key 0', 'x'.repeat(1000))), 'too_many')
  t.deepEqual(
    statements.filter((sql) => /\b(count|sum)\(/i.test(sql)),
    [],
  )
  t.true(statements.length > 0)
})

test('the size of the state is exact after concurrent writes, failed ones and a new login', async (t) => {
  const { db, faults, session } = await openFaultServer(t, { ...RATES_OFF, consumerKeys: 6, consumerBytes: 400 })
  const { client: robot } = await session('robot')
  const clients = [robot, (await session('robot')).client, (await session('robot')).client]
  await create(robot)
  const writes = Array.from({ length: 120 }, (_, n) =>
    keep(clients[n % 3] as Client, `key ${n % 8}`, n % 5 === 0 ? '' : '鹰'.repeat((n * 7) % 31)),
  )
  const outcomes = new Set((await Promise.allSettled(writes)).map(({ status }) => status))
  t.is(outcomes.size, 2)
  const settled = async () => {
    await clients.at(-1)?.request(QueryConsumers, {})
    const { stored, counted } = await usageOf(db)
    t.deepEqual(stored, counted)
    return counted
  }
  t.true((await settled()).state_keys <= 6)
  for (let n = 0; n < 8; n++) await keep(robot, `key ${n}`, '')
  t.deepEqual(await settled(), { state_keys: 0, state_bytes: 0 })
  faults.arm({ at: 0, mode: 'outage', code: fullOf(faults), of: /insert into .consumer_state/ })
  const failed = { consumer: 'main', id: 0, key: 'a', state: 'x'.repeat(300), keep: true }
  t.is(await refusal(t, robot.request(AcknowledgeEvent, failed)), 'unavailable')
  faults.heal()
  // The failed write is retried, and counts.
  t.is(await refusal(t, keep(robot, 'b', 'x'.repeat(101))), 'too_many')
  await keep(robot, 'b', 'x'.repeat(100))
  t.deepEqual(await settled(), { state_keys: 2, state_bytes: 400 })
  for (const client of clients) await client.close()
  const { client: later } = await session('robot')
  clients.push(later)
  t.is(await refusal(t, keep(later, 'c', 'x')), 'too_many')
  await keep(later, 'a', '')
  await keep(later, 'c', 'x'.repeat(300))
  t.deepEqual(await settled(), { state_keys: 2, state_bytes: 400 })
})

test('a consumer is deleted with its state in slices, and is exact when that is cut short', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = new ConsumerWriter(db, () => t.fail())
  const row = (name: string) => ({ user_id: 1, name, position: 0, pending: [], moved_at: 0, epoch: 0 })
  for (const name of ['main', 'other']) await insertConsumer(db, row(name), 2)
  const saves = Array.from({ length: 250 }, (_, n) =>
    writer.save(row('main'), { key: String(n), state: '鹰', state_keys: n + 1, state_bytes: 3 * (n + 1) }),
  )
  await Promise.all([...saves, writer.save(row('other'), { key: 'k', state: 'x', state_keys: 1, state_bytes: 1 })])
  const faults = new Faults(db)
  faults.arm({ at: 1, mode: 'outage', code: fullOf(faults), of: /delete from .consumer_state/ })
  await t.throwsAsync(writer.delete(1, 'main'), { code: fullOf(faults) })
  faults.heal()
  const left = { state_keys: 150, state_bytes: 450 }
  t.deepEqual(await usageOf(db), { stored: left, counted: left })
  const statements: string[] = []
  db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
  await writer.delete(1, 'main')
  t.is(statements.filter((sql) => /^delete from .consumer_state/.test(sql)).length, 2)
  t.deepEqual(await db('consumer').pluck('name'), ['other'])
  t.deepEqual(await db('consumer_state').pluck('name'), ['other'])
  await writer.close()
})

test('state counts against the rate of requests, however short it is; beyond it state waits', async (t) => {
  await using server = await testServer({ limits: { requestRate: 1, requestBurst: 5, requestPause: 1 } })
  const { client: robot } = await server.user('robot')
  await create(robot)
  // All tokens are there again.
  await server.clock.advance(60_000)
  for (let n = 0; n < 5; n++) await keep(robot, String(n), 'x')
  t.is(await refusal(t, robot.request(QueryConsumers, {})), 'rate_limited')
  await keep(robot, 'on credit', 'x')
  let isStored = false
  const stored = keep(robot, 'late', 'x').then(() => {
    isStored = true
  })
  await server.settled()
  t.false(isStored)
  await server.clock.advance(2000)
  await stored
})

test('state waits for the other requests of its user; an acknowledgement without state does not', async (t) => {
  const Wait = clientMessage({ type: 1900, name: 'wait', about: 'Waits.', allow: 'user', fields: {} })
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const gate = definePlugin({
    name: 'gate',
    messages: { Wait },
    setup: (app) => app.handle(Wait, () => opened),
  })
  await using server = await testServer({ plugins: [gate], limits: { requestsAtOnce: 1 } })
  const [first, second, third] = [await server.user('robot'), await server.user('robot'), await server.user('robot')]
  await create(first.client)
  const waiting = first.client.request(Wait, {})
  await server.settled()
  let isStored = false
  const stored = keep(second.client, 'a', 'x').then(() => {
    isStored = true
  })
  await third.client.acknowledgeEvent('main', 1)
  await server.settled()
  t.false(isStored)
  open()
  await Promise.all([waiting, stored])
})
