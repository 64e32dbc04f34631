import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { Knex } from 'knex'
import {
  insertUser,
  LogFeed,
  type MessageRouter,
  MessageWriter,
  MSG_TYPE,
  migrate,
  NO_FILE,
  newRow,
  plainContent,
  UNCHECKED,
} from '../../db/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

let clientIds = 0
const rowFrom = (user_id: number) =>
  newRow(
    { user_id, target_id: 9, msg_type: MSG_TYPE.chat, client_id: `${++clientIds}`, send_time: 1, hops: 0 },
    plainContent('hello'),
    0,
    NO_FILE,
    UNCHECKED,
  )

/** Stores a message, as a server does, and returns its number. */
async function stores(t: ExecutionContext, db: Knex) {
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  t.teardown(() => writer.close())
  return async (userId: number) => (await writer.store(rowFrom(userId))).id
}

type Row = Parameters<MessageRouter<string>['find']>[0]

/** A router that finds the recipients of a message when the test says so; `next` resolves when it is asked. */
function slowRouter() {
  const found: ((name: string) => void)[] = []
  let asked = () => {}
  const find = () => {
    asked()
    return new Promise<string>((resolve) => found.push(resolve))
  }
  const next = () =>
    new Promise<void>((resolve) => {
      asked = resolve
    })
  return { found, find, next }
}

async function follow(
  t: ExecutionContext,
  find: MessageRouter<string>['find'] = ({ id, user_id }: Row) => `foreign ${id} of ${user_id}`,
) {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const time = { now: 0 }
  const [errors, said, told]: [unknown[], number[], string[]] = [[], [], []]
  const feed = await LogFeed.start<string>({
    db,
    now: () => time.now,
    say: (last) => said.push(last),
    onError: (error) => errors.push(error),
  })
  feed.follow('user', { changed: ({ id }) => void told.push(`change ${id}`), missed: () => told.push('missed') })
  const committed: (() => void)[] = []
  const prepared: number[][] = []
  feed.route({
    push: (message) => told.push(message),
    pause: () => undefined,
    prepare: async (rows) => void prepared.push(rows.map(({ id }) => id)),
    find,
    committed: async () => committed.pop()?.(),
  })
  const user = (name: string) => insertUser(db, { username: name, password: 'x', nickname: name, role: 'user' })
  return { db, feed, time, errors, said, told, committed, prepared, user, store: await stores(t, db) }
}

test('messages and changes of all servers come in one order', async (t) => {
  const { feed, told, prepared, user, store } = await follow(t)
  await store(1)
  await user('alice')
  await store(2)
  await user('bob')
  await feed.catchUp()
  t.deepEqual(prepared, [[1, 3]], 'at once')
  t.deepEqual(told, ['foreign 1 of 1', 'change 2', 'foreign 3 of 2', 'change 4'])
  await feed.catchUp()
  t.is(told.length, 4)
  t.is(feed.seen, 4)
})

test('a message of this server is passed on at once and without a query, or after the entries of others before it', async (t) => {
  const { db, feed, told, store } = await follow(t)
  const own = await store(1)
  let queries = 0
  db.on('query', () => queries++)
  feed.add(own, 'own')
  t.deepEqual(told, ['own'])
  t.is(queries, 0)
  await store(2)
  const later = [await store(1), await store(1)]
  for (const id of later) feed.add(id, `own ${id}`)
  t.deepEqual(told, ['own'])
  await feed.catchUp()
  t.deepEqual(told, ['own', 'foreign 2 of 2', 'own 3', 'own 4'])
})

test('a message that this server is about to add is not taken for one of others', async (t) => {
  const { feed, told, committed, store } = await follow(t)
  const id = await store(1)
  committed.push(() => feed.add(id, 'own'))
  await feed.catchUp()
  t.deepEqual(told, ['own'])
})

test('a number that the database does not show yet is waited for, and until then the feed is behind', async (t) => {
  const { db, feed, time, errors, told, store } = await follow(t)
  await db('head').where({ id: 1 }).increment('last', 1)
  await store(2)
  await feed.catchUp()
  t.deepEqual(told, ['missed'])
  t.regex(String(errors[0]), /does not show number 1/)
  time.now = 2001
  t.true(feed.isBehind)
  await db('change_log').insert({ id: 1, topic: 'user', subject: 7 })
  await feed.catchUp()
  t.deepEqual(told.slice(1), ['change 1', 'foreign 2 of 2'])
  t.false(feed.isBehind)
})

test('other servers are told of the last number of a commit, and of none that is not of this server', async (t) => {
  const { feed, said, user, store } = await follow(t)
  await store(2)
  await feed.catchUp()
  const own = [await store(1), await store(1)]
  for (const id of own) feed.add(id, 'own')
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(said, [3])
  await feed.after(() => user('alice'))
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(said, [3, 4])
})

test('who waits for the log up to now does not wait for what comes meanwhile', async (t) => {
  const { found, find, next } = slowRouter()
  const { feed, time, told, store } = await follow(t, find)
  await store(2)
  time.now = 2001
  const first = next()
  const caughtUp = feed.catchUp()
  await first
  await store(2)
  feed.reach(2)
  const second = next()
  found.shift()?.('first')
  await second
  await caughtUp
  t.deepEqual(told, ['first'])
  t.false(feed.isBehind)
  found.shift()?.('second')
  await feed.catchUp()
  t.deepEqual(told, ['first', 'second'])
})

test('the log is as old as the last look at its head whose numbers have been passed on, although later ones are not', async (t) => {
  const { found, find, next } = slowRouter()
  const { db, feed, time, told, store } = await follow(t, find)
  await store(2)
  time.now = 1500
  const first = next()
  const early = feed.catchUp()
  await first
  await store(2)
  time.now = 3000
  const headIsRead = new Promise<void>((resolve) => {
    db.on('query', ({ sql }) => sql.includes('head') && resolve())
  })
  const late = feed.catchUp()
  await headIsRead
  const second = next()
  found.shift()?.('first')
  await early
  t.false(feed.isBehind)
  await second
  time.now = 3600
  t.true(feed.isBehind)
  found.shift()?.('second')
  await late
  t.false(feed.isBehind)
  t.deepEqual(told, ['first', 'second'])
})

test('messages without a gap between their numbers need no look at the changes', async (t) => {
  const { db, feed, errors, told, user, store } = await follow(t)
  await user('alice')
  await store(1)
  await store(2)
  await feed.catchUp()
  await store(2)
  await db.schema.renameTable('change_log', 'away')
  await feed.catchUp()
  t.deepEqual(told, ['change 1', 'foreign 2 of 1', 'foreign 3 of 2', 'foreign 4 of 2'])
  t.deepEqual(errors, [])
})

test('only messages that may be of the commit in progress wait for it', async (t) => {
  const { db } = await follow(t)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  t.teardown(() => writer.close())
  const [own, foreign] = [rowFrom(1), rowFrom(2)]
  await writer.store(own)
  t.is(writer.committed([foreign]), undefined)
  t.true(writer.committed([foreign, own]) instanceof Promise)
})

test('a wake-up is no truth: a number that it names is read from the database', async (t) => {
  const { feed, told, store } = await follow(t)
  await store(2)
  feed.reach(5)
  await feed.catchUp()
  t.deepEqual(told.slice(0, 1), ['foreign 1 of 2'])
  t.is(feed.seen, 1)
})

test('a check made in the turn in which a change is told counts as made before it', async (t) => {
  const { feed, store } = await follow(t)
  feed.add(await store(1), 'own')
  t.is(feed.checkedUpTo, 0)
  await new Promise((resolve) => setImmediate(resolve))
  t.is(feed.checkedUpTo, 1)
})

test('a server that has not read the log for too long stores nothing, and does again after it has', async (t) => {
  const { db, feed, time, errors, store } = await follow(t)
  await store(2)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)), undefined, feed)
  t.teardown(() => writer.close())
  time.now = 2001
  await db.schema.renameTable('head', 'away')
  await t.throwsAsync(writer.store(rowFrom(1)), { name: 'LogTooOld' })
  await t.throwsAsync(writer.store(rowFrom(1)), { name: 'LogTooOld' })
  t.is(errors.length, 1, 'reported once')
  await db.schema.renameTable('away', 'head')
  t.is((await writer.store(rowFrom(1))).id, 2)
})
