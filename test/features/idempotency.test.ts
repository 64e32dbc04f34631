import test from 'ava'
import { CreateRoom, QueryRooms, QueryScheduled, RoomList, ScheduleMessage } from '../../client/index.ts'
import {
  clientMessage,
  definePlugin,
  encode,
  line,
  MAX_TEXT,
  Refused,
  serverMessage,
  text,
  uint32,
} from '../../core/index.ts'
import { Login, Once, OnceDone } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { Faults } from '../support/databases/fault-injection.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const Counted = serverMessage({ type: 1001, name: 'counted', about: '', fields: { times: uint32('') } })
const Count = clientMessage({
  type: 1000,
  name: 'count',
  about: '',
  allow: 'user',
  fields: { what: line('') },
  reply: Counted,
})
const messages = [Count, Counted]

/** Counts requests, and holds its replies until released. */
function counter() {
  let times = 0
  let gate = Promise.resolve()
  return {
    plugin: definePlugin({
      name: 'counter',
      messages: { Count, Counted },
      setup(app) {
        app.handle(Count, async (_session, { what }) => {
          times++
          await gate
          if (what === 'no') throw new Refused('counter.no', 'not that')
          if (what === 'broken') throw new Error('broken')
          return { times: what === 'lost' ? -1 : times }
        })
      },
    }),
    close() {
      let open: () => void = () => {}
      gate = new Promise((resolve) => {
        open = resolve
      })
      return open
    },
    times: () => times,
  }
}

test('a request is executed once per idempotency key, and every retry gets its reply', async (t) => {
  const data = await tempFolder(t)
  const { plugin, times } = counter()
  const first = await startLocalServer(t, { data, plugins: [plugin] })
  const alice = await first.user('alice', { messages })
  t.deepEqual(await alice.request(Count, { what: 'a' }, { key: 'monday' }), { times: 1 })
  t.deepEqual(await alice.request(Count, { what: 'a' }, { key: 'monday' }), { times: 1 })
  t.deepEqual(await alice.request(Count, { what: 'a' }, { key: 'tuesday' }), { times: 2 })
  t.is(await refusal(t, alice.request(Count, { what: 'b' }, { key: 'monday' })), 'key_reused')
  // A key belongs to its user.
  const bob = await first.user('bob', { messages })
  t.deepEqual(await bob.request(Count, { what: 'a' }, { key: 'monday' }), { times: 3 })
  await first.close()
  const second = await startLocalServer(t, { data, plugins: [plugin] })
  const again = await second.user('alice', { messages })
  t.deepEqual(await again.request(Count, { what: 'a' }, { key: 'monday' }), { times: 1 })
  t.is(times(), 3)
})

test('two concurrent requests with one key are executed once', async (t) => {
  const { plugin, times, close } = counter()
  const server = await startLocalServer(t, { plugins: [plugin] })
  const [one, two] = [await server.user('alice', { messages }), await server.user('alice', { messages })]
  const open = close()
  const asked = [one, two, one].map((client) => client.request(Count, { what: 'a' }, { key: 'k' }))
  const other = refusal(t, two.request(Count, { what: 'b' }, { key: 'k' }))
  t.is(await other, 'key_reused')
  open()
  t.deepEqual(await Promise.all(asked), [{ times: 1 }, { times: 1 }, { times: 1 }])
  t.is(times(), 1)
})

test('refusals and failures are not stored: the key may be retried', async (t) => {
  const { plugin, times } = counter()
  const server = await startLocalServer(t, { plugins: [plugin] })
  const alice = await server.user('alice', { messages })
  t.is(await refusal(t, alice.request(Count, { what: 'no' }, { key: 'k' })), 'counter.no')
  t.is(await refusal(t, alice.request(Count, { what: 'broken' }, { key: 'k' })), 'internal')
  t.deepEqual(await alice.request(Count, { what: 'yes' }, { key: 'k' }), { times: 3 })
  t.is(times(), 3)
})

test('a request that was executed, but whose reply is not valid, is not executed again', async (t) => {
  const { plugin, times } = counter()
  const server = await startLocalServer(t, { plugins: [plugin] })
  const alice = await server.user('alice', { messages })
  t.is(await refusal(t, alice.request(Count, { what: 'lost' }, { key: 'k' })), 'internal')
  t.is(await refusal(t, alice.request(Count, { what: 'lost' }, { key: 'k' })), 'outcome_unknown')
  t.is(times(), 1)
})

test('a request interrupted by a kill of the server is not executed twice, and its retry is told so', async (t) => {
  const { plugin, times, close } = counter()
  const server = await startLocalServer(t, { plugins: [plugin] })
  const alice = await server.user('alice', { messages })
  const open = close()
  const asked = alice.request(Count, { what: 'a' }, { key: 'k' })
  while (times() === 0) await alice.request(QueryRooms, {})
  // The state that another server, or this one after a kill, finds in the database.
  const { insertRequestKey, findRequestKey } = await import('../../db/index.ts')
  const { openDatabase } = await import('../../db/open.ts')
  const db = await openDatabase(server.db ?? `${server.data}/chat.db`)
  t.teardown(() => db.destroy())
  const row = await findRequestKey(db, 1, 'k')
  t.is(row?.reply, null)
  await insertRequestKey(db, { ...row, request_key: 'killed' } as never)
  t.is(await refusal(t, alice.request(Count, { what: 'a' }, { key: 'killed' })), 'outcome_unknown')
  open()
  t.deepEqual(await asked, { times: 1 })
})

test('a request whose commit may have succeeded is not executed again', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const faults = new Faults(server.db)
  const schedule = () => alice.request(ScheduleMessage, { to: 'alice', text: 'later', delay: 3_600_000 }, { key: 'k' })
  faults.arm({ at: 0, mode: 'after', code: faults.codes[0] ?? '', of: /^commit/i })
  t.is(await refusal(t, schedule()), 'unavailable')
  t.is(faults.struck, 1)
  faults.heal()
  t.is(await refusal(t, schedule()), 'outcome_unknown')
  t.is((await alice.request(QueryScheduled, {})).messages.length, 1)
})

test('a request whose transaction was certainly not committed can be repeated', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const faults = new Faults(server.db)
  const schedule = () => alice.request(ScheduleMessage, { to: 'alice', text: 'later', delay: 3_600_000 }, { key: 'k' })
  faults.arm({ at: 0, mode: 'before', code: faults.codes[0] ?? '', of: /insert into .scheduled/i })
  t.is(await refusal(t, schedule()), 'unavailable')
  faults.heal()
  t.false((await schedule()).repeat)
  t.is((await alice.request(QueryScheduled, {})).messages.length, 1)
})

test('all checks and hooks apply as without a key', async (t) => {
  const server = await startLocalServer(t, {
    plugins: [
      definePlugin({
        name: 'rule',
        setup(app) {
          app.before(CreateRoom, (_session, values) => {
            if (values.group === 'forbidden') throw new Refused('rule.no', 'not that name')
            return { ...values, group: values.group.toUpperCase() }
          })
        },
      }),
    ],
  })
  const alice = await server.user('alice')
  t.is(await refusal(t, alice.request(CreateRoom, { group: 'forbidden' }, { key: 'a' })), 'rule.no')
  t.like(await alice.request(CreateRoom, { group: 'ops' }, { key: 'b' }), { group: 'OPS' })
  t.like(await alice.request(CreateRoom, { group: 'ops' }, { key: 'b' }), { group: 'OPS' })
  t.is((await alice.request(QueryRooms, {})).groups.length, 1)
})

test('an envelope contains exactly one request that the user may send', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice')
  const once = (request: Uint8Array) => refusal(t, alice.request(Once, { key: 'k', request }))
  const create = encode(CreateRoom, 0, { group: 'ops' })
  t.is(await once(Buffer.concat([create, create])), 'invalid_value')
  t.is(await once(create.subarray(0, -1)), 'invalid_value')
  t.is(await once(Buffer.alloc(40, 0xff)), 'invalid_value')
  t.is(await once(encode(RoomList, 0, { groups: [] })), 'unknown_type')
  t.is(await once(encode(Login, 0, { clientFirst: 'x' })), 'not_allowed')
  t.is(await once(encode(Once, 0, { key: 'k', request: create })), 'not_allowed')
  const { reply, repeat } = await alice.request(Once, { key: 'k', request: create })
  t.false(repeat)
  t.true(reply.length > 12 && reply.length < OnceDone.fields.reply.max)
})

test('a key expires after its time', async (t) => {
  const data = await tempFolder(t)
  const { plugin, times } = counter()
  const first = await startLocalServer(t, { data, plugins: [plugin], limits: { requestKeys: 0 } })
  const alice = await first.user('alice', { messages })
  await alice.request(Count, { what: 'a' }, { key: 'k' })
  await first.close()
  const second = await startLocalServer(t, { data, plugins: [plugin], limits: { requestKeys: 0 } })
  await (await second.user('alice', { messages })).request(Count, { what: 'a' }, { key: 'k' })
  t.is(times(), 2)
})

test('a request whose reply does not fit an envelope is executed once, and its sender is told', async (t) => {
  const Long = serverMessage({ type: 1003, name: 'long', about: '', fields: { words: text('', { max: MAX_TEXT }) } })
  const Tell = clientMessage({ type: 1002, name: 'tell', about: '', allow: 'user', fields: {}, reply: Long })
  let told = 0
  const plugin = definePlugin({
    name: 'talker',
    messages: { Tell, Long },
    setup: (app) => app.handle(Tell, () => ({ words: 'x'.repeat(60_000 + told++) })),
  })
  const server = await startLocalServer(t, { plugins: [plugin] })
  const alice = await server.user('alice', { messages: [Tell, Long] })
  t.is(await refusal(t, alice.request(Tell, {}, { key: 'k' })), 'too_large')
  t.is(await refusal(t, alice.request(Tell, {}, { key: 'k' })), 'outcome_unknown')
  t.is(told, 1)
})

test('keys of requests whose replies are not stored count towards the limit', async (t) => {
  const Long = serverMessage({ type: 1003, name: 'long', about: '', fields: { words: text('', { max: MAX_TEXT }) } })
  const Tell = clientMessage({ type: 1002, name: 'tell', about: '', allow: 'user', fields: {}, reply: Long })
  const { plugin } = counter()
  const talker = definePlugin({
    name: 'talker',
    messages: { Tell, Long },
    setup: (app) => app.handle(Tell, () => ({ words: 'x'.repeat(60_000) })),
  })
  await using server = await testServer({
    plugins: [plugin, talker],
    limits: { requestKeysPerUser: 10 },
    ignoreFailures: true,
  })
  const alice = await server.user('alice')
  const keys = async () => Number((await server.db('request_key').count({ count: '*' }).first())?.count)
  for (let n = 0; n < 30; n++) await alice.refused(alice.client.request(Tell, {}, { key: `long ${n}` }))
  await server.settled()
  t.true((await keys()) <= 11)
  for (let n = 0; n < 30; n++) await alice.refused(alice.client.request(Count, { what: 'lost' }, { key: `lost ${n}` }))
  await server.settled()
  t.true((await keys()) <= 11)
})
