import test from 'ava'
import { CreateRoom, QueryRooms } from '../../client/index.ts'
import { deleteOldestRequestKeys, requestKeyUsage } from '../../db/index.ts'
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
