import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Knex } from 'knex'
import { AddFriend, CreateRoom, JoinRoom, QueryContacts, QueryRooms } from '../../client/index.ts'
import { clientMessage, definePlugin, line, uint32 } from '../../core/index.ts'
import { ORIGINAL_TABLES } from '../../db/adopt/original.ts'
import {
  backUp,
  befriend,
  findUsers,
  insertGroup,
  insertUser,
  MessageWriter,
  MSG_TYPE,
  migrate,
  NO_FILE,
  openDatabase,
  rollbackAll,
  unreadBySender,
} from '../../db/index.ts'
import { messageRow, ROW_COLUMNS } from '../../db/message-rows.ts'
import { MIGRATIONS, NEW_TABLES } from '../../db/migrations/index.ts'
import { isMysql } from '../../db/migrations/tables.ts'
import { reservedConnection } from '../../db/mysql.ts'
import { backfillReadMarks } from '../../db/read-marks.ts'
import { transact } from '../../db/transaction.ts'
import { emptyDatabase, schemaOf } from '../support/databases/empty-database.ts'
import { newDatabase, startMariadb } from '../support/databases/mariadb.ts'
import { openShell } from '../support/processes/shell.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const onMariadb = process.env.TEST_DATABASE === undefined ? test.skip : test.serial

const identity = (username: string) => ({ username, password: 'x', nickname: username, role: 'user' })

test('up, down and up again leaves the same schema', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const first = await schemaOf(db)
  t.true(first.length >= 6)
  await rollbackAll(db)
  t.deepEqual(
    (await schemaOf(db)).filter((sql) => !sql.includes('sqlite_')),
    [],
  )
  await migrate(db)
  t.deepEqual(await schemaOf(db), first)
})

test('every table that the migrations create is listed, so that an interrupted adoption can start again', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  for (const table of [...ORIGINAL_TABLES, ...NEW_TABLES]) await db.schema.dropTable(table)
  const left = (await schemaOf(db)).filter((sql) => /create table/i.test(sql) && !/sqlite_|chatctl_/.test(sql))
  t.deepEqual(left, [])
})

test('rolling back to the original’s tables and migrating again keeps all rows', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const alice = (await insertUser(db, identity('alice'))) ?? 0
  const bob = (await insertUser(db, { ...identity('bob'), nickname: '小鹰 😀' })) ?? 0
  await befriend(db, alice, bob, 1234567890123)
  const now = 1999999999999
  const made = await insertGroup(db, { name: '聊天室', ownerId: alice, isOpen: true, allHistory: false, now })
  const group = 'id' in made ? made.id : 0
  const style = { font: 'serif', font_size: 12, color: 'red', hops: 0, reply_to: 0, file: NO_FILE, checkedUpTo: -1 }
  const message = { ...style, user_id: alice, send_time: now, client_id: 'a', msg: '你好 😀\n' }
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  await writer.store({ ...message, target_id: bob, msg_type: 1 })
  await writer.store({ ...message, target_id: group, msg_type: 4, client_id: 'b' })
  await writer.close()
  const original = {
    userinfo: ['id', 'username', 'password', 'nickname', 'reg_time', 'isActive'],
    chatmsg: ['id', 'user_id', 'send_time', 'target_id', 'isRead', 'msg_type', 'msg', 'isActive'],
    userfriend: ['id', 'user_id', 'friend_id', 'add_time', 'isActive'],
    chatroom: ['id', 'chatroom_name', 'create_time', 'isActive'],
    chatroom_user: ['id', 'chatroom_id', 'user_id', 'create_time', 'isActive'],
  }
  const contents = async () =>
    JSON.stringify(
      await Promise.all(Object.entries(original).map(([table, columns]) => db(table).orderBy('id').select(columns))),
    )
  const before = await contents()
  t.regex(before, /小鹰 😀.*你好 😀/)
  const later = Object.entries(MIGRATIONS).slice(1)
  for (const [, { down }] of [...later].reverse()) await down(db)
  t.is(await contents(), before)
  for (const [, { up }] of later) await up(db)
  t.is(await contents(), before)
})

test('names that differ in case, accents, trailing blanks or emoji are different names', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const names = ['bob', 'Bob', 'bób', 'bob ', 'bob\t', '😀', '😂', '%', '_', 'b_b', "o'brien", 'straße', 'strasse', '0']
  const ids = new Map<string, number | undefined>()
  for (const name of names) ids.set(name, await insertUser(db, identity(name)))
  for (const [name, id] of ids) {
    t.truthy(id, name)
    t.is((await findUsers(db, [name]))[0]?.id, id, name)
    t.is(await insertUser(db, identity(name)), undefined, `${name} twice`)
  }
})

test('SQL, wildcards and special characters in names and texts are stored as text', async (t) => {
  const server = await startLocalServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const odd = ["x'; drop table chatroom; --", '" or ""="', '%', '_ps', 'Ops', 'ops', 'óps', '😀', '😂', '\\', '`id`']
  for (const group of odd) await alice.request(CreateRoom, { group })
  for (const group of odd) t.is(await refusal(t, bob.request(CreateRoom, { group })), 'group_exists', group)
  t.is((await alice.request(QueryRooms, {})).groups.length, odd.length)
  for (const group of ['p%', 'o_s', 'OPS', "' or 1=1 --", '0']) {
    t.is(await refusal(t, bob.request(JoinRoom, { group })), 'group_not_exist', group)
  }
  for (const user of ['%', 'bo_', "' or '1'='1", '0', 'bob\u200b', 'bo\u0301b', '1; select 1']) {
    t.is(await refusal(t, bob.request(AddFriend, { user })), 'user_not_exist', user)
    t.is(await refusal(t, bob.send(user, 'x')), 'user_not_exist', user)
  }
  const texts = [...odd, "'); delete from chatmsg; --", '\u0000?'.slice(1), 'a\\\'b"c', '%_\\%']
  for (const text of texts) await alice.send('bob', text)
  t.deepEqual(
    (await bob.inbox({ limit: 100 })).messages.map(({ text }) => text),
    texts,
  )
})

test('a number in place of a name is a protocol error and does not reach the database', async (t) => {
  const server = await startLocalServer(t)
  const bob = await server.user('bob')
  const forged = clientMessage({
    type: AddFriend.type,
    name: 'forged',
    about: '',
    allow: 'user',
    fields: { user: uint32('0 equals any name to a careless database') },
  })
  const error = await t.throwsAsync(bob.request(forged, { user: 0 }))
  t.is((error as { failure?: string }).failure, 'protocol_error')
  const longer = clientMessage({
    type: AddFriend.type,
    name: 'longer',
    about: '',
    allow: 'user',
    fields: { user: line('longer than any name', { max: 4000 }) },
  })
  const again = await server.user('bob')
  t.is(await refusal(t, again.request(longer, { user: 'x'.repeat(3000) })), 'invalid_value')
  t.is((await again.request(QueryContacts, {})).contacts.length, 0)
})

test('in the steady state a message needs no query of its own', async (t) => {
  const statements: string[] = []
  const counter = definePlugin({
    name: 'counter',
    setup(_app, { db }) {
      db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
    },
  })
  const server = await startLocalServer(t, {
    plugins: [counter],
    limits: { requestBurst: 10_000 },
    pluginOptions: { friends: { messagesFrom: 'friends' } },
  })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(AddFriend, { user: 'bob' })
  await bob.request(AddFriend, { user: 'alice' })
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const heard = bob.messages({ acknowledge: false })
  const next = heard.next()
  await Promise.all([alice.send('bob', 'warm'), alice.send({ group: 'ops' }, 'warm')])
  await next
  const COUNT = 90
  const told = new Promise<void>((resolve) => {
    // The second of the two warm-up messages comes first.
    let left = COUNT + 1
    void (async () => {
      for await (const _ of heard) if (--left === 0) resolve()
    })()
  })
  statements.length = 0
  await Promise.all(Array.from({ length: COUNT }, (_, n) => alice.send(n % 2 ? 'bob' : { group: 'ops' }, String(n))))
  await told
  // The writer's own statements bypass Knex: one INSERT per message.
  t.deepEqual(statements, [], 'names, friendships and memberships are known')
})

test('a backup of a running server contains every acknowledged message', async (t) => {
  const server = await startLocalServer(t)
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const acknowledged: number[] = []
  const send = async (text: string) => acknowledged.push((await alice.send('bob', text)).id)
  for (let n = 0; n < 20; n++) await send(String(n))
  let running = true
  const sending = (async () => {
    while (running) await send('meanwhile')
  })()
  const before = [...acknowledged]
  const where = server.db ?? join(server.data, 'chat.db')
  const file = join(await tempFolder(t), 'backup')
  await backUp(where, file)
  running = false
  await sending
  t.is((await stat(file)).mode & 0o777, 0o600)
  await t.throwsAsync(backUp(where, file), { message: /exists already/ })
  if (server.db !== undefined) return t.true((await stat(file)).size > 1000)
  const copy = await openDatabase(file)
  const ids = new Set(await copy('chatmsg').pluck('id'))
  await copy.destroy()
  for (const id of before) t.true(ids.has(id))
})

test('the error for a database that cannot be opened gives the reason without the password', async (t) => {
  const wrong: [string, RegExp][] = [
    ['mysql://chat:secret@127.0.0.1:1/chat', /mysql:\/\/chat@127\.0\.0\.1:1\/chat: no server answers there/],
    ['mysql://chat:secret@127.0.0.1', /a database URL is mysql:/],
    ['mysql://chat:secret@127.0.0.1/chat?debug=1', /takes \?socket= and \?ssl=, not \?debug=/],
  ]
  for (const [url, message] of wrong) {
    const error = await t.throwsAsync(openDatabase(url), { name: 'DatabaseError', message })
    t.false(error?.message.includes('secret'))
  }
})

/** The pool of the message writer's connections. */
const writerPool = (db: Knex): { acquireConnection: () => Promise<never> } =>
  isMysql(db) ? (reservedConnection(db) as never) : db.client

const STYLE = { font: '', font_size: 0, hops: 0, color: '', reply_to: 0, file: NO_FILE, checkedUpTo: -1 }
const chat = (client_id: string, msg = 'hi', msg_type: number = MSG_TYPE.chat) => ({
  ...{ user_id: 1, target_id: 2, msg_type, msg, client_id, send_time: 1 },
  ...STYLE,
})

test('a rejected row fails alone; a repeat in the same commit is reported as one', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  const results = await Promise.allSettled(
    [chat('a'), chat('b', null as never), chat('c'), chat('a'), chat('d')].map((row) => writer.store(row)),
  )
  t.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value.repeat : 'refused')),
    [false, 'refused', false, true, false],
  )
  t.deepEqual(await db('chatmsg').orderBy('id').pluck('client_id'), ['a', 'c', 'd'])
  await writer.close()
})

test('a message waits for the pause after the one before it; until then it is above the horizon [D-6]', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  const heard: string[] = []
  let isPaused: () => void = () => {}
  const paused = new Promise<void>((resolve) => {
    isPaused = resolve
  })
  let resume: () => void = () => {}
  const say = (name: string, pause: () => Promise<void> | undefined) =>
    writer.enqueue({
      work: chat(name),
      resolve({ id }) {
        heard.push(name)
        t.is(writer.horizon, id)
        return pause()
      },
      reject: (error) => t.fail(String(error)),
    })
  say('a', () => {
    isPaused()
    return new Promise((resolve) => {
      resume = resolve
    })
  })
  say('b', () => undefined)
  await paused
  say('c', () => undefined)
  const settled = writer.settled().then(() => heard.push('settled'))
  t.deepEqual(await db('chatmsg').orderBy('id').pluck('client_id'), ['a', 'b'])
  t.deepEqual(heard, ['a'])
  resume()
  await settled
  t.deepEqual(heard, ['a', 'b', 'c', 'settled'])
  await writer.close()
})

test('group messages of one commit have sequence numbers without gaps, also with repeats', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const [id = 0] = await db('chatroom').insert({ chatroom_name: 'ops', create_time: 1 })
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  const say = (client_id: string) => writer.store({ ...chat(client_id, 'hi', MSG_TYPE.group), target_id: id })
  await Promise.all(['a', 'b', 'a', 'c'].map(say))
  await Promise.all(['b', 'd'].map(say))
  t.deepEqual(
    (await db('chatmsg').orderBy('id')).map(({ client_id, seq }) => `${client_id} ${seq}`),
    ['a 1', 'b 2', 'c 3', 'd 4'],
  )
  t.is(Number((await db('chatroom').first()).last_seq), 4)
  await writer.close()
})

test('the backfill marks read rows in small batches and leaves unread rows', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  const stored = await Promise.all(Array.from({ length: 1200 }, (_, n) => writer.store(chat(String(n)))))
  const upTo = stored[1100]?.id ?? 0
  const read = { readerId: 2, fromId: 1, isGroup: false, upTo }
  t.true(await writer.markRead(read, { isWaitedFor: true }))
  t.false(await writer.markRead(read, { isWaitedFor: true }), 'a second run changes nothing')
  await writer.close()
  let steps = 0
  while (await backfillReadMarks(db)) steps++
  t.is(steps, 3)
  const unread = await db('chatmsg').where({ isRead: 1 }).orderBy('id').pluck('id')
  t.deepEqual(
    unread,
    stored.slice(1101).map(({ id }) => id),
  )
  t.is((await unreadBySender(db, 2)).counts.get(1), 99)
})

test('when the database is lost, waiting requests are refused at once', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  const pool = writerPool(db)
  const acquire = pool.acquireConnection
  let isAsked: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve
  })
  let fail: (error: Error) => void = () => {}
  pool.acquireConnection = () => {
    isAsked()
    return new Promise((_, reject) => {
      fail = reject
    })
  }
  const first = writer.store(chat('a'))
  await asked
  const meanwhile = writer.store(chat('b'))
  const read = writer.markRead({ readerId: 2, fromId: 1, isGroup: false, upTo: 1 }, { isWaitedFor: false })
  const settled = writer.readsSettled()
  pool.acquireConnection = acquire
  fail(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
  const ends = await Promise.allSettled([first, meanwhile, read, settled])
  t.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected', 'fulfilled'],
  )
  t.false((await writer.store(chat('a'))).repeat, 'it continues')
  await writer.close()
})

onMariadb(
  'a commit whose reply was lost is retried: its messages are stored once and not reported as repeats',
  async (t) => {
    const { db } = await emptyDatabase(t)
    await migrate(db)
    type Done = (error: Error | null, result?: unknown) => void
    type Query = (options: { sql: string }, done: Done) => void
    const pool = writerPool(db)
    const acquire: () => Promise<{ query: Query }> = pool.acquireConnection.bind(pool)
    let lose = true
    pool.acquireConnection = async (): Promise<never> => {
      const connection = await acquire()
      const query = connection.query.bind(connection)
      const losing: Query = (options, done) => {
        if (!lose || !options.sql.startsWith('begin not atomic')) return query(options, done)
        lose = false
        query(options, () => done(Object.assign(new Error('it was lost'), { code: 'PROTOCOL_CONNECTION_LOST' })))
      }
      // Knex gives three arguments, the writer two.
      connection.query = (...args: Parameters<Query>) => (args.length === 2 ? losing : query)(...args)
      return connection as never
    }
    const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
    const stored = await Promise.all(['a', 'b'].map((client_id) => writer.store(chat(client_id))))
    t.false(lose)
    t.deepEqual(
      stored.map(({ repeat }) => repeat),
      [false, false],
    )
    t.deepEqual(
      await db('chatmsg').orderBy('id').pluck('id'),
      stored.map(({ id }) => id),
    )
    await writer.close()
  },
)

onMariadb('a commit that times out on a lock is rolled back and retried as a whole', async (t) => {
  const { db, where } = await emptyDatabase(t)
  await migrate(db)
  const other = await openDatabase(where)
  const holder = await other.transaction()
  await holder('correspondence').insert({ reader_id: 2, writer_id: 1 })
  const pool = writerPool(db)
  const acquire = pool.acquireConnection.bind(pool)
  let tries = 0
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  pool.acquireConnection = async () => {
    // At the second time the first one was abandoned.
    if (++tries === 2) await holder.rollback()
    return acquire()
  }
  const { row, repeat } = await writer.store(chat('a'))
  t.true(tries >= 2)
  t.false(repeat)
  await Promise.all(['b', 'c'].map((id) => writer.store(chat(id))))
  t.deepEqual(await other('chatmsg').orderBy('id').pluck('client_id'), ['a', 'b', 'c'], 'another connection sees them')
  t.is((await unreadBySender(other, 2)).counts.get(1), 3)
  t.is(row.client_id, 'a')
  await writer.close()
  await other.destroy()
})

onMariadb('the errors for a missing database and a wrong password say what to do', async (t) => {
  const { port } = new URL(process.env.TEST_DATABASE ?? '')
  await t.throwsAsync(openDatabase(`mysql://root@127.0.0.1:${port}/nothing_here`), { message: /make it first/ })
  await t.throwsAsync(openDatabase(`mysql://nobody:x@127.0.0.1:${port}/mysql`), { message: /check user and password/ })
})

onMariadb('of two deadlocked transactions one is retried, and both commit', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const owner = (await insertUser(db, identity('alice'))) ?? 0
  const make = async (name: string) => {
    const made = await insertGroup(db, { name, ownerId: owner, isOpen: true, allHistory: false, now: 1 })
    return 'id' in made ? made.id : 0
  }
  const [one, two] = [await make('one'), await make('two')]
  let tries = 0
  let met = () => {}
  const bothHaveOne = new Promise<void>((resolve) => {
    met = resolve
  })
  let waiting = 0
  const cross = (first: number, second: number) =>
    transact(db, async (trx) => {
      tries++
      await trx('chatroom').where({ id: first }).update({ last_seq: 1 })
      if (++waiting >= 2) met()
      await bothHaveOne
      await trx('chatroom').where({ id: second }).update({ last_seq: 1 })
    })
  await Promise.all([cross(one, two), cross(two, one)])
  t.is(tries, 3)
})

onMariadb(
  'the database is killed, hangs and comes back: no acknowledged message is lost, and the server recovers',
  async (t) => {
    const mariadb = await startMariadb()
    t.teardown(() => mariadb.close())
    const { url } = await newDatabase(mariadb.server)
    const server = await startLocalServer(t, { db: url })
    const [alice, bob] = [
      await server.user('alice', { timeout: 30_000 }),
      await server.user('bob', { timeout: 30_000 }),
    ]
    const acknowledged: string[] = []
    const send = async (text: string) => {
      await alice.send('bob', text, { clientId: text })
      acknowledged.push(text)
    }
    await send('before')
    await mariadb.stop('SIGKILL')
    t.is(await refusal(t, send('dead')), 'unavailable')
    t.is(await refusal(t, bob.inbox()), 'unavailable')
    await mariadb.start()
    await send('dead')
    await mariadb.freeze()
    t.is(await refusal(t, send('hanging')), 'unavailable')
    mariadb.thaw()
    await send('hanging')
    t.deepEqual(
      (await bob.inbox()).messages.map(({ text }) => text),
      acknowledged,
    )
    t.is((await bob.request(QueryContacts, {})).unread, acknowledged.length)
  },
)

onMariadb('MariaDB from the shell: serve, users, status, backup, rollback, migrate, drop', async (t) => {
  const { url, drop } = await newDatabase(process.env.TEST_DATABASE ?? '')
  t.teardown(drop)
  const shell = await openShell(t)
  const env = { CHATCTL_DB: url }
  const run = async (...args: string[]) => {
    const ran = await shell.run([...args, '--data', './room', '-o', 'json'], { env })
    t.is(ran.code, 0, `chatctl ${args.join(' ')}: ${ran.stderr}`)
    return JSON.parse(ran.stdout)
  }
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  const room = await shell.serve([], { env })
  await run('users', 'create', 'alice', '--password-file', 'pw')
  await run('send', '--as', 'alice', 'alice', 'note to self 😀')
  await run('db', 'backup', 'room.sql')
  t.true((await readFile(join(shell.folder, 'room.sql'), 'utf8')).includes('note to self 😀'))
  t.is(
    (await shell.run(['db', 'rollback', '--yes', '--data', './room'], { env })).code,
    5,
    'refused while the server runs',
  )
  await room.stop()
  t.is((await run('users', 'list'))[0].user, 'alice')
  const status = await run('db', 'status')
  t.is(status.upToDate, true)
  t.regex(status.database, /^mysql:\/\/root@127/)
  t.is((await run('db', 'rollback', '--yes', '--all')).undone.length, Object.keys(MIGRATIONS).length)
  t.is((await run('db', 'migrate')).migrated.length, Object.keys(MIGRATIONS).length)
  await run('doctor')
  await run('db', 'drop', '--yes')
  t.is((await run('db', 'status')).upToDate, false)
})

test('each value of a row of a message is under the name of its column', (t) => {
  const row = messageRow(ROW_COLUMNS)
  t.deepEqual(Object.entries(row), ROW_COLUMNS.map((column) => [column, column]) as [string, unknown][])
})
