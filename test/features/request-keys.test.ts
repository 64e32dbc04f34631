import test from 'ava'
import type { Knex } from 'knex'
import { CreateRoom, QueryRooms } from '../../client/index.ts'
import { deleteOldestRequestKeys, requestKeyUsage } from '../../db/index.ts'
import { isMysql } from '../../db/migrations/tables.ts'
import { openFaultServer } from '../support/faults/fault-server.ts'
import { refusal } from '../support/requests.ts'

const row = (request_key: string, asked_at: number, bytes: number) => ({
  ...{ user_id: 1, request_key, request_hash: 'h', asked_at, reply: Buffer.alloc(bytes) },
})

test('a user’s oldest keys are evicted, by number and by bytes of replies', async (t) => {
  const { db } = await openFaultServer(t)
  await db('request_key').insert([row('a', 1, 10), row('b', 2, 300), row('c', 3, 10), row('d', 4, 10)])
  t.deepEqual(await requestKeyUsage(db, 1), { keys: 4, bytes: 330 })
  await deleteOldestRequestKeys(db, 1, { keys: 1, bytes: 0 }, [])
  t.deepEqual(await db('request_key').orderBy('asked_at').pluck('request_key'), ['b', 'c', 'd'])
  await deleteOldestRequestKeys(db, 1, { keys: 0, bytes: 5 }, ['b'])
  t.deepEqual(await db('request_key').orderBy('asked_at').pluck('request_key'), ['b', 'd'])
})

test('the keys of a user are counted in slices, and the oldest are found without sorting all', async (t) => {
  const { db } = await openFaultServer(t)
  const rows = Array.from({ length: 4500 }, (_, n) => row(`key ${n}`, 4500 - n, 2))
  await db.batchInsert('request_key', [...rows, { ...row('of another user', 0, 100), user_id: 2 }], 100)
  const statements: { sql: string; bindings: readonly Knex.Value[] }[] = []
  db.on('query', (statement) => statements.push(statement))
  t.deepEqual(await requestKeyUsage(db, 1), { keys: 4500, bytes: 9000 })
  t.is(statements.filter(({ sql }) => /count\(/.test(sql)).length, 3)
  await deleteOldestRequestKeys(db, 1, { keys: 1500, bytes: 0 }, ['key 4499'])
  const oldest = statements.filter(({ sql }) => /order by .asked_at/.test(sql))
  t.is(oldest.length, 2)
  if (!isMysql(db)) {
    // MariaDB chooses by the number of rows, and sorts outside of this process.
    const plan = JSON.stringify(await db.raw(`explain query plan ${oldest[0]?.sql}`, oldest[0]?.bindings ?? []))
    t.regex(plan, /request_key_oldest/)
    t.notRegex(plan, /TEMP B-TREE/)
  }
  t.deepEqual(await requestKeyUsage(db, 1), { keys: 3000, bytes: 6000 })
  t.deepEqual(await db('request_key').orderBy('asked_at').limit(2).pluck('request_key'), [
    'of another user',
    'key 4499',
  ])
})

test('a user’s keys stay within the limit', async (t) => {
  const { db, session } = await openFaultServer(t, { requestKeysPerUser: 10 })
  const alice = await session('alice')
  for (let number = 0; number < 30; number++) await alice.client.request(QueryRooms, {}, { key: `key ${number}` })
  t.true((await requestKeyUsage(db, 1)).keys <= 11)
})

for (const mode of ['before', 'after'] as const)
  test(`a key whose insertion fails ${mode} the statement can be used again`, async (t) => {
    const { faults, session } = await openFaultServer(t)
    const alice = await session('alice')
    const create = () => alice.client.request(CreateRoom, { group: 'ops' }, { key: 'k' })
    faults.arm({ at: 0, mode, code: faults.codes[0] as string, of: /request_key/ })
    t.is(await refusal(t, create()), 'unavailable')
    faults.heal()
    t.is((await create()).group, 'ops')
    t.is((await create()).group, 'ops')
    t.is((await alice.client.request(QueryRooms, {})).groups.length, 1)
  })

test('a key that cannot be released during an outage can be used again after it', async (t) => {
  const { faults, session } = await openFaultServer(t)
  const alice = await session('alice')
  const create = () => alice.client.request(CreateRoom, { group: 'ops' }, { key: 'k' })
  // The key is stored, and every later statement fails.
  faults.arm({ at: 1, mode: 'outage', code: faults.codes[0] as string, of: /request_key|chatroom/ })
  t.is(await refusal(t, create()), 'unavailable')
  t.is(await refusal(t, create()), 'unavailable')
  faults.heal()
  t.is((await create()).group, 'ops')
})
