import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { openBulk } from '../../bench/grown/bulk.ts'
import { openDatabase } from '../../db/index.ts'
import { MIGRATIONS_TABLE } from '../../db/migrate.ts'
import { runSteps } from '../../db/migration-run.ts'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import { emptyPlace, schemaOf } from '../support/databases/empty-database.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { type Ended, openShell } from '../support/processes/shell.ts'

/** The version before messages had lanes: what follows rewrites every message. */
const OLD_VERSION = 4
const ROWS = times(2000, 1_000_000)
const [USERS, GROUPS, CHUNK] = [1000, 20, 50_000]
/** Kills in a row before a migration may end. */
const MAX_KILLS = 3

const COLUMNS = ['id', 'user_id', 'target_id', 'msg_type', 'send_time', 'isRead', 'msg', 'isActive', 'client_id', 'seq']

/** Four of ten messages are in groups, one in a hundred is a closed friend request; of the others one in four is unread. */
function messageRow(index: number): (string | number | null)[] {
  const id = index + 1
  const user = (index % USERS) + 1
  const text = `message ${id} of an old version, about as long as any other is`
  if (index % 100 === 99) return [id, user, (index % 7) + 1, 3, id, 0, '', 0, null, null]
  if (index % 10 >= 6) {
    const nth = Math.floor(index / 10) * 4 + (index % 10) - 6
    return [id, user, (nth % GROUPS) + 1, 4, id, 0, text, 1, `old-${id}`, Math.floor(nth / GROUPS) + 1]
  }
  return [id, user, ((index * 7) % USERS) + 1, 1, id, index % 4 === 0 ? 1 : 0, text, 1, `old-${id}`, null]
}

/** Fills an empty place with a database of the old version. */
async function makeOld(where: string) {
  const db = await openDatabase(where)
  const steps = Object.entries(MIGRATIONS).map(([name, migration]) => ({ name, migration }))
  await runSteps(db, steps.slice(0, OLD_VERSION), 'up', { resume: false })
  await db.destroy()
  const bulk = await openBulk(where)
  try {
    const ids = Array.from({ length: USERS }, (_, index) => index + 1)
    const accounts = ids.map((id) => [id, `user-${id}`, 'x', `User ${id}`, 1, 1])
    await bulk.insert('userinfo', ['id', 'username', 'password', 'nickname', 'reg_time', 'isActive'], accounts)
    const groups = ids.slice(0, GROUPS).map((id) => [id, `group-${id}`, 1, 1, Math.floor((ROWS * 4) / 10 / GROUPS)])
    await bulk.insert('chatroom', ['id', 'chatroom_name', 'create_time', 'isActive', 'last_seq'], groups)
    for (let from = 0; from < ROWS; from += CHUNK) {
      const count = Math.min(CHUNK, ROWS - from)
      await bulk.insert(
        'chatmsg',
        COLUMNS,
        Array.from({ length: count }, (_, nth) => messageRow(from + nth)),
      )
    }
  } finally {
    await bulk.close()
  }
}

interface Copy {
  readonly where: string
  /** Name it to a command. */
  readonly args: readonly string[]
  /** Removes it: several of them do not fit into the cache of the database server. */
  drop(): Promise<void>
}

/** A copy of the old database in a place of its own. */
async function copyOf(t: ExecutionContext, old: string): Promise<Copy> {
  if (process.env.TEST_DATABASE === undefined) {
    const data = join(await emptyPlace(t), '..', 'room')
    await mkdir(data)
    const where = join(data, 'chat.db')
    await copyFile(old, where)
    return { where, args: ['--data', data], drop: () => rm(data, { recursive: true }) }
  }
  const { url: where, drop } = await newDatabase(process.env.TEST_DATABASE)
  t.teardown(drop)
  const db = await openDatabase(where)
  try {
    const from = new URL(old).pathname.slice(1)
    const [tables] = await db.raw('show tables from ??', [from])
    for (const row of tables as Record<string, string>[]) {
      const [name = ''] = Object.values(row)
      await db.raw('create table ?? like ??', [name, `${from}.${name}`])
      await db.raw('insert into ?? select * from ??', [name, `${from}.${name}`])
    }
  } finally {
    await db.destroy()
  }
  return { where, args: ['--db', where], drop }
}

const SUMS = [
  [
    'chatmsg',
    'sum(id), sum(user_id), sum(target_id), sum(lane), sum(seq), sum(isRead), sum(isActive), sum(length(msg))',
  ],
  ['chatmsg where client_id is not null', 'count(distinct client_id), sum(length(client_id))'],
  ['correspondence', 'sum(reader_id), sum(writer_id), sum(read_id), sum(marked_id)'],
  ['chatroom', 'sum(last_seq)'],
  ['head', 'sum(last)'],
] as const

/** The schema, and counts and sums over the rows that the migrations write. */
async function pictureOf(where: string) {
  const db = await openDatabase(where)
  const sums = async ([from, sums]: (typeof SUMS)[number]) => {
    const rows = await db.raw(`select count(*), ${sums} from ${from}`)
    const [row] = process.env.TEST_DATABASE === undefined ? rows : rows[0]
    return [from, Object.values(row).map(Number)] as const
  }
  try {
    const found: (readonly [string, number[]])[] = []
    for (const one of SUMS) found.push(await sums(one))
    return { schema: await schemaOf(db), sums: Object.fromEntries(found), done: await migrationsOf(db) }
  } finally {
    await db.destroy()
  }
}

const migrationsOf = (db: Knex) => db(MIGRATIONS_TABLE).orderBy('id').pluck('name')

test('an upgrade of a large database that is killed at random moments ends as one that was not', async (t) => {
  const rounds = times(2, 6)
  t.timeout(times(5, 90) * MINUTES)
  const random = seeded(t)
  const shell = await openShell(t)
  const old = await emptyPlace(t)
  await makeOld(old)

  const whole = await copyOf(t, old)
  const began = performance.now()
  isDone(t, await shell.run(['db', 'migrate', ...whole.args]))
  const ms = performance.now() - began
  const expected = await pictureOf(whole.where)
  t.is(expected.sums.chatmsg?.[0], ROWS)
  await whole.drop()

  let kills = 0
  for (let round = 1; round <= rounds; round++) {
    const { where, args, drop } = await copyOf(t, old)
    for (let nth = 1; nth <= MAX_KILLS; nth++) {
      const { child, done } = shell.start(['db', 'migrate', ...args])
      await Promise.race([sleep(random() * ms), done])
      child.kill('SIGKILL')
      if ((await done).signal === 'SIGKILL') kills++
    }
    isDone(t, await migrated(shell, args))
    t.deepEqual(await pictureOf(where), expected, `round ${round}`)
    await drop()
  }
  t.log(line({ messages: ROWS, 'seconds without a kill': (ms / 1000).toFixed(1), rounds, kills }))
})

type Shell = Awaited<ReturnType<typeof openShell>>

/** MariaDB goes on with the statement of a killed process; until its end the database may be in use. */
async function migrated(shell: Shell, args: readonly string[]): Promise<Ended | Awaited<ReturnType<Shell['run']>>> {
  for (;;) {
    const ended = await shell.run(['db', 'migrate', ...args])
    if (ended.code === 0 || !/in use/.test(ended.stderr)) return ended
  }
}

const isDone = (t: ExecutionContext, { code, stderr }: Pick<Ended, 'code' | 'stderr'>) => t.is(code, 0, stderr)
