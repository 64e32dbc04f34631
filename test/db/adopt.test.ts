import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import pino from 'pino'
import { openServer } from '../../cli/server/assembly.ts'
import { QueryContacts, QueryFriendRequests } from '../../client/index.ts'
import { deriveKeys, storedKey } from '../../core/scram/index.ts'
import { isLine } from '../../core/wire/index.ts'
import { type AdoptionReport, adopt, insertUser, migrate, openDatabase } from '../../db/index.ts'
import { parseVerifier } from '../../plugins/accounts/verifier.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import {
  asOriginal,
  friend,
  makeOriginal,
  member,
  message,
  room,
  TEN_MAY_UTC,
  user,
  withMysql,
} from '../support/databases/original-database.ts'
import { openOriginalClient } from '../support/original-client/original-client.ts'
import { openShell, type Shell } from '../support/processes/shell.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** The original is always a MySQL database: these tests need one. */
const SERVER = process.env.TEST_DATABASE
const onMysql = SERVER === undefined ? test.skip : test.serial

const UNREAD = { isRead: 1 }
const REQUEST = { msg_type: 3, msg: 'add friend', isRead: 1 }
const GROUP = { msg_type: 4 }

/** A database of the original after years: valid rows, and every kind of fault that its tables allow. */
const ROWS = {
  userinfo: [
    user(1, 'admin', '123', { nickname: '管理员' }),
    user(2, 'Jeremy', '123456'),
    user(3, '小鹰', '密码', { nickname: '小\n鹰' }),
    user(4, 'tommy', 'p"w\'\\'),
    user(5, 'a b', 'pw'),
    user(6, 'system', 'pw'),
    user(7, 'bad\tname', 'pw'),
    user(8, '', 'pw'),
    user(9, 'plain', 'pw', { password: 'written by hand' }),
    user(10, 'gone', 'pw', { isActive: 0 }),
    // Equal names for the original, different ones here.
    user(11, 'Tommy', 'pw'),
    user(12, 'tommy', 'pw'),
    user(13, 'tommy-12', 'pw'),
  ],
  userfriend: [
    friend(1, 1, 2),
    friend(2, 2, 1),
    friend(3, 1, 2),
    friend(4, 1, 3),
    friend(5, 1, 4),
    friend(6, 4, 1, 0),
    friend(7, 1, 99),
    friend(8, 2, 2),
    friend(9, 3, 4, 0),
    friend(10, 4, 3, 0),
    friend(11, 3, 4),
    friend(12, 4, 3),
  ],
  chatroom: [room(1, 'No.1聊天室'), room(2, 'deserted'), room(3, 'JEREMYJONE')],
  chatroom_user: [
    member(1, 1, 10),
    member(2, 1, 2, { isActive: 0 }),
    member(3, 1, 1),
    member(4, 1, 1),
    member(5, 1, 2),
    member(6, 1, 99),
    member(7, 77, 1),
    member(8, 3, 3),
    member(9, 3, 4, { create_time: '2018-05-12 08:00:00' }),
  ],
  chatmsg: [
    message(1, 1, 2, '你好\n'),
    message(2, 2, 1, 'Hello'),
    message(3, 1, 2, '在吗?', UNREAD),
    message(4, 2, 99, 'to nobody'),
    message(5, 99, 2, 'from nobody'),
    message(6, 1, 2, 'deleted', { isActive: 0 }),
    message(7, 5, 1, '', REQUEST),
    message(8, 5, 1, '', REQUEST),
    message(9, 2, 1, '', REQUEST),
    message(10, 5, 3, '', { ...REQUEST, isRead: 0 }),
    message(11, 3, 3, 'early', { ...GROUP }),
    message(12, 3, 3, '群聊', { ...GROUP, send_time: '2018-05-13 08:00:00' }),
    message(13, 4, 3, 'not seen by all', { ...GROUP, ...UNREAD, send_time: '2018-05-13 08:00:00' }),
    message(14, 3, 88, 'to no group', { ...GROUP }),
    message(15, 1, 2, 'of no kind', { msg_type: 9 }),
    message(16, 1, 2, '又一次', UNREAD),
    message(17, 1, 2, 'when?', { ...UNREAD, send_time: '0000-00-00 00:00:00' }),
    message(18, 1, 2, 'as if the server said it', { msg_type: 2 }),
  ],
}

const COUNTS = [
  { table: 'userinfo', read: 13, taken: 13, merged: 0, refused: 0, added: 0 },
  { table: 'chatroom', read: 3, taken: 3, merged: 0, refused: 0, added: 0 },
  { table: 'chatroom_user', read: 9, taken: 5, merged: 2, refused: 2, added: 0 },
  { table: 'userfriend', read: 12, taken: 7, merged: 3, refused: 2, added: 1 },
  { table: 'chatmsg', read: 18, taken: 13, merged: 0, refused: 5, added: 0 },
]

/** The report in short form. */
const said = ({ findings }: AdoptionReport) =>
  findings.flatMap(({ table, outcome, reason, rows }) =>
    rows.map(({ id, detail }) => `${table} ${id} ${outcome}: ${reason}${detail && ` (${detail})`}`),
  )

const FINDINGS = [
  'userinfo 6 changed: another name: it is the server’s own (system -> system-6)',
  'userinfo 7 changed: another name: it holds a character that no message may carry in a name (bad\tname -> badname-7)',
  'userinfo 8 changed: another name: it is empty ( -> user-8)',
  'userinfo 9 changed: no password: what was stored is not the original’s hash (plain)',
  'userinfo 12 changed: another name: it is taken (tommy -> tommy-12-)',
  'chatroom_user 4 merged: was there already (into 3)',
  'chatroom_user 5 merged: was there already (into 2)',
  'chatroom_user 6 refused: names a row that does not exist (user_id 99)',
  'chatroom_user 7 refused: names a row that does not exist (chatroom_id 77)',
  'userfriend 3 merged: was there already (into 1)',
  'userfriend 11 merged: was there already (into 9)',
  'userfriend 12 merged: was there already (into 10)',
  'userfriend 7 refused: names a row that does not exist (friend_id 99)',
  'userfriend 8 refused: a friend of oneself (user_id 2)',
  'userfriend 11 added: the other half was missing (3 and 1, for 4)',
  'userfriend 5 changed: ended by the other user (1 and 4, see 6)',
  'chatmsg 4 refused: names a row that does not exist (target_id 99)',
  'chatmsg 5 refused: names a row that does not exist (user_id 99)',
  'chatmsg 14 refused: names a row that does not exist (target_id 88)',
  'chatmsg 8 changed: friend request closed: an earlier one is pending (5 to 1)',
  'chatmsg 9 changed: friend request closed: they are friends (2 to 1)',
  'chatmsg 10 changed: friend request closed: it was delivered (5 to 3)',
  'chatmsg 15 refused: is of an unknown kind (msg_type 9)',
  'chatmsg 17 noted: no time is known, 1970 was taken',
  'chatmsg 18 refused: is a system message of a user (user_id 1)',
  'chatroom 2 noted: has no members, so no owner',
]

const PASSWORDS: Readonly<Record<string, string>> = {
  admin: '123',
  Jeremy: '123456',
  小鹰: '密码',
  tommy: 'p"w\'\\',
  'a b': 'pw',
  'system-6': 'pw',
  'badname-7': 'pw',
  'user-8': 'pw',
  gone: 'pw',
  Tommy: 'pw',
  'tommy-12-': 'pw',
  'tommy-12': 'pw',
}

async function originalRoom(t: ExecutionContext): Promise<string> {
  const { url, drop } = await makeOriginal(SERVER ?? '', ROWS)
  t.teardown(drop)
  return url
}

/** All rows and table definitions of a database. */
async function dump(where: string): Promise<Record<string, unknown>> {
  const db = await openDatabase(where)
  try {
    const isMysql = where.startsWith('mysql')
    const names: string[] = isMysql
      ? (await db.raw('show tables'))[0].map((row: object) => Object.values(row)[0])
      : await db('sqlite_master').where({ type: 'table' }).pluck('name')
    const all: Record<string, unknown> = {}
    for (const name of names.sort()) {
      if (isMysql) all[`${name}, made by`] = (await db.raw('show create table ??', [name]))[0][0]['Create Table']
      all[name] = await db(name).orderBy(1)
    }
    return all
  } finally {
    await db.destroy()
  }
}

/** Opens a database, reads, and closes it. */
async function looking<T>(where: string, look: (db: Knex) => Promise<T>): Promise<T> {
  const db = await openDatabase(where)
  try {
    return await look(db)
  } finally {
    await db.destroy()
  }
}

async function adoptByShell(t: ExecutionContext, shell: Shell, args: string[], env: Record<string, string> = {}) {
  const ran = await shell.run(['db', 'adopt', '-o', 'json', ...args], { env })
  t.is(ran.code, 0, ran.stderr)
  return JSON.parse(ran.stdout) as AdoptionReport & { dryRun: boolean; inPlace: boolean }
}

/** The expected result of the adoption, for every target. */
async function checkDataFolder(t: ExecutionContext, where: string) {
  await looking(where, async (db) => {
    const accounts = await db('userinfo').orderBy('id')
    t.deepEqual(
      accounts.map(({ id }) => id),
      ROWS.userinfo.map(({ id }) => id),
    )
    for (const { username, password, reg_time } of accounts) {
      t.is(reg_time, TEN_MAY_UTC)
      if (username === 'plain') {
        t.is(parseVerifier(password), undefined)
        continue
      }
      const verifier = parseVerifier(password)
      t.is(verifier?.preHash, 'md5x10', username)
      if (verifier === undefined) return
      t.is(verifier.salt.length, 32)
      const { salt, iterations } = verifier
      const right = await deriveKeys(PASSWORDS[username] ?? '', salt, iterations, 'md5x10')
      t.deepEqual(storedKey(right.clientKey), verifier.storedKey, username)
      t.deepEqual(right.serverKey, verifier.serverKey)
      const wrong = await deriveKeys('wrong', salt, iterations, 'md5x10')
      t.notDeepEqual(storedKey(wrong.clientKey), verifier.storedKey)
    }
    t.is(new Set(accounts.map(({ password }) => password)).size, accounts.length, 'each account has its own salt')
    t.is(accounts.find(({ id }) => id === 10).isActive, 0)

    const pairs = await db('userfriend').where({ isActive: 1 }).orderBy('id').select('user_id', 'friend_id')
    t.deepEqual(
      pairs.map(({ user_id, friend_id }) => [user_id, friend_id]),
      [
        [1, 2],
        [2, 1],
        [1, 3],
        [3, 4],
        [4, 3],
        [3, 1],
      ],
    )
    const members = await db('chatroom_user').where({ isActive: 1 }).orderBy('id')
    t.deepEqual(
      members.map((row) => [row.chatroom_id, row.user_id, row.role, row.joined_seq, row.read_seq].join(' ')),
      ['1 10 member 0 0', '1 2 owner 0 0', '1 1 member 0 0', '3 3 owner 0 2', '3 4 member 1 2'],
    )
    const last = await db('chatroom').orderBy('id').pluck('last_seq')
    t.deepEqual(last.map(Number), [0, 0, 3])

    const rows = await db('chatmsg').orderBy('id')
    const clientIdOf = (id: number) => {
      if (id === 7) return null
      return id >= 8 && id <= 10 ? `\u001f${id}` : `adopted-${id}`
    }
    t.deepEqual(
      rows.map(({ id, client_id }) => [id, client_id]),
      [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17].map((id) => [id, clientIdOf(id)]),
      'a pending friend request has none, a closed one that of its state',
    )
    t.deepEqual(
      rows.filter((row) => row.msg_type === 3 && row.isActive).map(({ id, isRead }) => [id, isRead]),
      [[7, 1]],
    )
    t.deepEqual(rows.map(({ msg }) => msg).slice(0, 3), ['你好\n', 'Hello', '在吗?'])
    t.is(rows[0].send_time, TEN_MAY_UTC)
    t.is(rows.at(-1).send_time, 0)
  })
}

/** Uses the adopted database: old passwords, history, unread messages, friends, groups. */
async function useRoom(t: ExecutionContext, { data, db }: { data: string; db: string }) {
  const server = await startLocalServer(t, { data, db, legacy: { host: '127.0.0.1', port: 0 } })
  for (const [name, password] of Object.entries(PASSWORDS)) {
    const client = await server.connect()
    if (name === 'gone') await t.throwsAsync(client.login(name, { password }), { name: 'RefusedByServer' })
    else t.is((await client.login(name, { password })).user, name)
    await client.close()
    const old = await openOriginalClient(t, server)
    const nickname = await old.login(name, password)
    t.is(nickname === undefined, name === 'gone', `${name} with the original client`)
    if (nickname !== undefined) old.send(88, 'logout')
    await old.end()
  }
  const [jeremy, admin, eagle] = [await server.connect(), await server.connect(), await server.connect()]
  await t.throwsAsync(jeremy.login('Jeremy', { password: 'wrong' }), { name: 'RefusedByServer' })
  await jeremy.login('Jeremy', { password: '123456' })
  await admin.login('admin', { password: '123' })
  await eagle.login('小鹰', { password: '密码' })
  const history = await jeremy.history('admin')
  t.deepEqual(
    history.messages.map(({ from, text }) => `${from}: ${text}`),
    ['admin: 你好\n', 'Jeremy: Hello', 'admin: 在吗?', 'admin: 又一次', 'admin: when?'],
  )
  t.deepEqual(
    (await jeremy.inbox()).messages.map(({ text }) => text),
    ['在吗?', '又一次', 'when?'],
  )
  const contacts = await admin.request(QueryContacts, {})
  t.deepEqual(contacts.contacts.map(({ name }) => name).sort(), ['Jeremy', 'No.1聊天室', '小鹰'].sort())
  const { requests } = await admin.request(QueryFriendRequests, {})
  t.deepEqual(
    requests.map(({ user, incoming, note }) => ({ user, incoming, note })),
    [{ user: 'a b', incoming: true, note: 'add friend' }],
  )
  t.deepEqual(
    (await eagle.groupHistory('JEREMYJONE')).messages.map(({ text }) => text),
    ['early', '群聊', 'not seen by all'],
  )
  t.deepEqual(
    (await eagle.inbox()).messages.map(({ text }) => text),
    ['not seen by all'],
  )
  // The original client gets its lists, then the waiting messages.
  const old = await openOriginalClient(t, server)
  await old.login('Jeremy', '123456')
  t.deepEqual(await old.lists(), ['admin:管理员', '群:No.1聊天室'])
  for (const text of ['在吗?\n', '又一次\n', 'when?\n']) {
    const [from, , said] = await old.hears(121)
    t.deepEqual([from, said], ['admin', text])
  }
  // New ids are above all the old ones.
  t.true((await jeremy.send('admin', '回来了')).id > 17)
}

onMysql('adopting into SQLite keeps all rows and passwords, and a second run changes nothing', async (t) => {
  const url = await originalRoom(t)
  const before = await dump(url)
  const shell = await openShell(t)
  const data = join(shell.folder, 'room')
  const first = await adoptByShell(t, shell, [url, '--data', data])
  t.like(first, { isFinished: true, dryRun: false, inPlace: false, tables: COUNTS })
  t.deepEqual(said(first), FINDINGS)
  t.is((await stat(join(data, 'chat.db'))).mode & 0o777, 0o600)
  await checkDataFolder(t, join(data, 'chat.db'))
  const after = await dump(join(data, 'chat.db'))
  t.deepEqual(await adoptByShell(t, shell, ['--data', data], { CHATCTL_ADOPT_URL: url }), first)
  t.deepEqual(await dump(join(data, 'chat.db')), after)
  t.deepEqual(await dump(url), before, 'the original was only read')
  // Empty: the SQLite file of the folder.
  await useRoom(t, { data, db: '' })
})

onMysql(
  'adopting in place gives the same result, sets the original tables aside without passwords, and a second run changes nothing',
  async (t) => {
    const url = await originalRoom(t)
    const shell = await openShell(t)
    const env = { CHATCTL_DB: url }
    const first = await adoptByShell(t, shell, ['--in-place', '--data', 'room'], env)
    t.like(first, { isFinished: true, inPlace: true, tables: COUNTS })
    t.deepEqual(said(first), FINDINGS)
    await checkDataFolder(t, url)
    await looking(url, async (db) => {
      t.deepEqual(await db('original_userinfo').distinct('password', 'reg_time').pluck('password'), [''])
      t.is((await db('original_chatmsg')).length, ROWS.chatmsg.length)
      const [[{ 'Create Table': sql }]] = await db.raw('show create table chatmsg')
      t.regex(sql, /CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin/)
    })
    const after = await dump(url)
    t.deepEqual(await adoptByShell(t, shell, [url, '--in-place', '--data', 'room']), first)
    t.deepEqual(await dump(url), after)
    const stored = await looking(url, (db) =>
      db('original_userinfo').distinct(db.raw('unix_timestamp(reg_time) as at')),
    )
    t.deepEqual(stored, [{ at: TEN_MAY_UTC / 1000 }], 'times are unchanged')
    await useRoom(t, { data: await tempFolder(t), db: url })
  },
)

onMysql('adopting into another database of the server gives the same result', async (t) => {
  const url = await originalRoom(t)
  const { url: where, drop } = await newDatabase(SERVER ?? '')
  t.teardown(drop)
  const shell = await openShell(t)
  const report = await adoptByShell(t, shell, [url, '--data', 'room'], { CHATCTL_DB: where })
  t.like(report, { isFinished: true, inPlace: false, tables: COUNTS })
  t.deepEqual(said(report), FINDINGS)
  await checkDataFolder(t, where)
  t.deepEqual(await readdir(shell.folder), ['home'], 'no data folder was made')
  await useRoom(t, { data: await tempFolder(t), db: where })
})

onMysql('the error for a rejected page gives the reason without texts or passwords', async (t) => {
  const url = await originalRoom(t)
  const where = join(await tempFolder(t), 'chat.db')
  await looking(where, async (db) => {
    await migrate(db)
    await db.raw("create trigger full before insert on chatmsg begin select raise(abort, 'no more'); end")
  })
  const [source, target] = [await openDatabase(url), await openDatabase(where)]
  const error = await t.throwsAsync(adopt({ ...plain, source, target }), { name: 'DatabaseError' })
  t.regex(error?.message ?? '', /^chatmsg, rows 1 to 18: no more \(SQLITE_CONSTRAINT_TRIGGER\)$/)
  await target.raw('drop trigger full')
  t.true((await adopt({ ...plain, source, target })).isFinished)
  await source.destroy()
  await target.destroy()
})

onMysql('--dry-run reports the same as a real run, for both targets, and changes nothing', async (t) => {
  const url = await originalRoom(t)
  const before = await dump(url)
  const shell = await openShell(t)
  const copy = await adoptByShell(t, shell, [url, '--data', 'room', '--dry-run'])
  t.like(copy, { dryRun: true, inPlace: false, tables: COUNTS })
  t.deepEqual(said(copy), FINDINGS)
  const inPlace = await adoptByShell(t, shell, ['--in-place', '--dry-run', '--data', 'room'], { CHATCTL_DB: url })
  t.like(inPlace, { dryRun: true, inPlace: true, tables: COUNTS, findings: copy.findings })
  t.deepEqual(await dump(url), before)
  t.deepEqual(await readdir(shell.folder), ['home'], 'no data folder was made')
  const { stdout, stderr } = await shell.run(['db', 'adopt', url, '--dry-run', '-o', 'table'])
  t.regex(stdout, /state +nothing was changed\n/)
  t.regex(stdout, /chatmsg +18 read, 13 taken, 0 merged, 5 refused, 0 added\n/)
  t.regex(stdout, /userinfo changed +1, another name: it is empty: 8 \( -> user-8\)\n/)
  t.regex(stderr, /^userinfo: 13 rows, from 0\nchatroom: 3 rows, from 0\n/, 'no progress bar without a terminal')
  t.false(stdout.includes('\x1b') || stderr.includes('\r'))
})

const serveOn = (options: { data: string; db: string; migrate?: boolean }) =>
  openServer({ ...options, log: pino({ level: 'silent' }) })

const plain = {
  sourceName: 'mysql://root@here/chatroom',
  wrapPassword: async (digest: string) => `wrapped ${digest}`,
  isLine,
}

/** Adopts with connections that break before the statement of this number: uncommitted changes are lost. */
async function adoptUntil(lastStatement: number, source: string, where: string): Promise<boolean> {
  const from = await openDatabase(source)
  const to = source === where ? from : await openDatabase(where)
  let statements = 0
  const death = new Error('the process died here')
  for (const db of new Set([from, to]))
    db.on('query', () => {
      if (++statements >= lastStatement) throw death
    })
  try {
    await adopt({ ...plain, source: from, target: to })
    return true
  } catch (error) {
    if (statements < lastStatement) throw error
    return false
  } finally {
    await from.destroy()
    if (to !== from) await to.destroy()
  }
}

/** Interrupts at every `stride`th statement, resumes each time, and expects the same result. */
async function adoptByAndBy(t: ExecutionContext, stride: number, whereOf: (url: string) => Promise<string>) {
  const [once, often] = [await originalRoom(t), await originalRoom(t)]
  const [straight, broken] = [await whereOf(once), await whereOf(often)]
  t.true(await adoptUntil(Number.POSITIVE_INFINITY, once, straight))
  let tries = 1
  while (!(await adoptUntil(tries * stride, often, broken))) tries++
  t.true(tries * stride > 60, `${tries} tries`)
  const timeless = async (where: string) => {
    // The generation of the database is random.
    const { chatctl_database, chatctl_adoption, chatctl_adoption_row, chatctl_migrations, ...all } = await dump(where)
    t.is((chatctl_database as object[]).length, 2)
    const withoutTime = (rows: unknown) => (rows as object[]).map((row) => ({ ...row, done_at: 0, migration_time: 0 }))
    return {
      ...all,
      steps: withoutTime(chatctl_adoption),
      migrations: withoutTime(chatctl_migrations),
      findings: chatctl_adoption_row,
    }
  }
  t.deepEqual(await timeless(broken), await timeless(straight))
}

onMysql('an adoption into SQLite killed before each statement is resumed by the next run', async (t) => {
  t.timeout(240_000)
  await adoptByAndBy(t, 1, async () => join(await tempFolder(t), 'chat.db'))
})

onMysql('an adoption in place killed before every third statement is resumed by the next run', async (t) => {
  t.timeout(240_000)
  // Creating tables is slow on MariaDB.
  await adoptByAndBy(t, 3, async (url) => url)
})

onMysql('a partly adopted database is not served, nor is the original’s, which no migration changes', async (t) => {
  const url = await originalRoom(t)
  const data = await tempFolder(t)
  await t.throwsAsync(serveOn({ data, db: url }), { message: /needs \d+ migration/ })
  await t.throwsAsync(serveOn({ data, db: url, migrate: true }), { message: /chatctl db adopt URL --in-place/ })
  t.is((await dump(url)).chatctl_migrations, undefined)
  await looking(url, async (db) => {
    const stop = new Error('Ctrl-C')
    const onProgress = (step: string, done: number) => {
      if (step === 'chatmsg' && done > 0) throw stop
    }
    t.is(await t.throwsAsync(adopt({ ...plain, source: db, target: db, onProgress })), stop)
  })
  await t.throwsAsync(serveOn({ data, db: url }), { message: /adopted only in part/ })
  const shell = await openShell(t)
  const report = await adoptByShell(t, shell, [url, '--in-place', '--dry-run'])
  t.false(report.isFinished)
  t.is(report.tables.find(({ table }) => table === 'chatmsg')?.read, 18)
})

onMysql('rows that cannot be adopted are left unchanged and reported with the reason', async (t) => {
  const url = await originalRoom(t)
  const shell = await openShell(t)
  const refused = async (args: string[], why: RegExp, code = 1, env: Record<string, string> = {}) => {
    const ran = await shell.run(['db', 'adopt', ...args], { env })
    t.regex(ran.stderr, why)
    t.is(ran.code, code)
  }
  await refused([], /which database\? Name it/, 2)
  await refused([url, '--time-zone', 'Mars'], /"Mars" is not of the form \+08:00/, 2)
  const empty = await newDatabase(SERVER ?? '')
  t.teardown(empty.drop)
  await refused([empty.url], /no database of the original chat room: there is no userinfo\.id/)
  await refused([url, '--db', url.replace('127.0.0.1', 'localhost')], /--in-place adopts it where it is/)

  const filled = await looking(empty.url, async (db) => {
    await migrate(db)
    await insertUser(db, { username: 'alice', password: 'x', nickname: 'alice', role: 'user' })
  }).then(() => dump(empty.url))
  await refused([url, '--db', empty.url], /has accounts or messages already/)
  t.deepEqual(await dump(empty.url), filled)
  await refused([empty.url, '--data', 'room'], /database of this program already/)

  const before = await dump(url)
  await withMysql(url, async (db) => {
    await db.raw('select 1')
    await refused([url, '--in-place'], /1 other connection\(s\) use the database/)
  })
  t.deepEqual(await dump(url), before)

  await adoptByShell(t, shell, [url, '--data', 'room'])
  const other = await originalRoom(t)
  await refused([other, '--data', 'room'], /it cannot take mysql:\/\/root@127/)
  const server = await shell.serve(['--data', 'room'])
  await refused([url, '--data', 'room'], /another server or command uses/, 5)
  await server.stop()
})

onMysql('datetime columns are read in the given time zone', async (t) => {
  const url = await originalRoom(t)
  await asOriginal(url, (db) => db.raw('alter table chatmsg modify send_time datetime not null'))
  const shell = await openShell(t)
  for (const [zone, hour] of [
    ['+08:00', 0],
    ['-03:30', 11.5],
  ] as const) {
    const data = join(shell.folder, `room${zone}`)
    await adoptByShell(t, shell, [url, '--data', data, `--time-zone=${zone}`])
    const times = await looking(join(data, 'chat.db'), (db) => db('chatmsg').where({ id: 1 }).pluck('send_time'))
    t.deepEqual(times, [TEN_MAY_UTC + hour * 3_600_000])
  }
})

onMysql('thousands of messages are adopted in pages, in order, with duplicates across page boundaries', async (t) => {
  const url = await originalRoom(t)
  const COUNT = 2500
  await asOriginal(url, async (db) => {
    const rows = Array.from({ length: COUNT }, (_, n) => message(100 + n * 3, 1 + (n % 2), 2 - (n % 2), `第${n}句`))
    await db.batchInsert('chatmsg', rows, 500)
    // Two lines of the report for each.
    const timeless = { ...REQUEST, isRead: 0, send_time: '0000-00-00 00:00:00' }
    const requests = Array.from({ length: COUNT }, (_, n) => message(10_000 + n, 1 + (n % 13), 3, '', timeless))
    await db.batchInsert('chatmsg', requests, 500)
    const again = Array.from({ length: 900 }, (_, n) => member(100 + n, 1 + 2 * (n % 2), 1))
    await db.batchInsert('chatroom_user', again, 500)
  })
  const shell = await openShell(t)
  // A data folder that was served but never used is accepted, and keeps its key.
  const fresh = await shell.serve()
  await fresh.stop()
  const report = await adoptByShell(t, shell, [url, '--data', 'room'])
  t.like(report.tables[4], { table: 'chatmsg', read: 2 * COUNT + 18, taken: 2 * COUNT + 13, refused: 5 })
  t.like(report.tables[2], { table: 'chatroom_user', read: 909, taken: 6, merged: 901 })
  await looking(join(shell.folder, 'room', 'chat.db'), async (db) => {
    const texts: string[] = await db('chatmsg').where({ msg_type: 1 }).where('id', '>=', 100).orderBy('id').pluck('msg')
    t.deepEqual(
      texts,
      Array.from({ length: COUNT }, (_, n) => `第${n}句`),
    )
    t.is((await db('chatroom_user').where({ user_id: 1 })).length, 2)
  })
  const merged = report.findings.find(({ table, outcome }) => table === 'chatroom_user' && outcome === 'merged')
  t.like(merged, { count: 901 })
  const times = report.findings.find(({ table, outcome }) => table === 'chatmsg' && outcome === 'noted')
  t.is(times?.count, COUNT + 1)
  t.is(times?.rows.length, 1000, 'the report is truncated')
  const { stdout } = await shell.run(['db', 'adopt', url, '--data', 'room', '-o', 'table'])
  t.regex(stdout, /chatroom_user merged +901, was there already: 4 \(into 3\), .*, and 891 more\n/)
  const again = await shell.serve()
  t.is(again.listening.fingerprint, fresh.listening.fingerprint)
  await again.stop()
})
