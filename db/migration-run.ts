import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import type { Migration } from './migration.ts'
import { isMysql } from './migrations/tables.ts'
import { LOCK_WAIT_S } from './mysql.ts'

/**
 * Runs migrations so that the next run resumes one that was interrupted anywhere. SQLite rolls back the whole run. MySQL
 * commits each DDL statement by itself, so a journal records the migration in progress; the next run repeats it from its
 * beginning and skips DDL that is already applied. Knex's own migrator does neither, and its lock outlives its process.
 */

/** Records completed migrations, in the layout of Knex's migrator, which older versions used. */
export const MIGRATIONS_TABLE = 'chatctl_migrations'
/** Lock of Knex's migrator: stays set when an older version was killed during a migration. */
const KNEX_LOCK_TABLE = `${MIGRATIONS_TABLE}_lock`
/** MySQL: the migration in progress. */
const JOURNAL_TABLE = 'chatctl_migrations_begun'

/** All tables that this file and Knex's migrator create, in the order in which to drop them. */
export const MIGRATOR_TABLES = [JOURNAL_TABLE, KNEX_LOCK_TABLE, MIGRATIONS_TABLE] as const

/** Pause between two looks at the statements of a killed run. */
const CHECK_PAUSE_MS = 250
/** Longest wait for the locks of a rollback: the time that the changes of a large table take. */
const ROLLBACK_S = 24 * 3600

export type Direction = 'up' | 'down'

export interface Step {
  readonly name: string
  readonly migration: Migration
}

/** A migration that was started and not finished. */
export interface InterruptedMigration {
  /** Undefined when an older version was killed, which kept no journal. */
  readonly name?: string
  readonly direction: Direction
}

/** The interrupted migration; undefined when there is none, or the database has rolled it back. */
export async function findInterrupted(db: Knex): Promise<InterruptedMigration | undefined> {
  if (!isMysql(db)) return undefined
  if (await db.schema.hasTable(JOURNAL_TABLE)) {
    const begun: { name: string; direction: Direction }[] = await db(JOURNAL_TABLE)
    const recorded = new Set<string>(await db(MIGRATIONS_TABLE).pluck('name'))
    // A journal row of a finished migration is left when the process ends before deleting it.
    const open = begun.find(({ name, direction }) => recorded.has(name) === (direction === 'down'))
    if (open !== undefined) return { name: open.name, direction: open.direction }
  }
  const wasKilled =
    (await db.schema.hasTable(KNEX_LOCK_TABLE)) && (await db(KNEX_LOCK_TABLE).where({ is_locked: 1 }).first())
  return wasKilled ? { direction: 'up' } : undefined
}

/**
 * Runs the steps in this order and records each. The caller holds the database lock.
 * @param resume the first step may be applied in part
 * @throws DatabaseError when a table, column or key exists that a step creates
 */
export async function runSteps(
  db: Knex,
  steps: readonly Step[],
  direction: Direction,
  { resume }: { resume: boolean },
): Promise<void> {
  if (!isMysql(db)) {
    await db.transaction(async (trx) => {
      await makeTables(trx)
      const batch = await nextBatch(trx)
      for (const { name, migration } of steps) {
        await migration[direction](trx)
        await record(trx, name, direction, batch)
      }
      await releaseKnexLock(trx)
    })
    return
  }
  await makeTables(db)
  if (resume) await earlierStatementsEnded(db)
  const batch = await nextBatch(db)
  for (const [index, { name, migration }] of steps.entries()) {
    await db(JOURNAL_TABLE).del()
    await db(JOURNAL_TABLE).insert({ name, direction })
    // Atomic only for changes of rows: MySQL commits DDL implicitly.
    await db.transaction(async (trx) => {
      if (resume && index === 0) {
        skipAppliedDdl(trx)
        // The rollback of the killed run may hold locks for longer than the timeout of a running server.
        await trx.raw('set session innodb_lock_wait_timeout = ?', [ROLLBACK_S])
      }
      await migration[direction](trx).catch((error) => {
        throw explain(error, name)
      })
      await record(trx, name, direction, batch)
      if (resume && index === 0) await trx.raw('set session innodb_lock_wait_timeout = ?', [LOCK_WAIT_S])
    })
  }
  await db(JOURNAL_TABLE).del()
  await releaseKnexLock(db)
}

/**
 * MySQL goes on with the statement of a process that was killed, and rolls back its transaction only then. A resumed
 * migration that runs beside it would wait for its locks, or deadlock with it.
 */
async function earlierStatementsEnded(db: Knex) {
  for (;;) {
    const [[row]] = await db.raw(
      `select count(*) as running from information_schema.processlist
       where db = database() and id <> connection_id() and command = 'Query'`,
    )
    if (Number(row.running) === 0) return
    await sleep(CHECK_PAUSE_MS)
  }
}

async function makeTables(db: Knex) {
  if (!(await db.schema.hasTable(MIGRATIONS_TABLE)))
    await db.schema.createTable(MIGRATIONS_TABLE, (table) => {
      table.increments()
      table.string('name')
      table.integer('batch')
      table.timestamp('migration_time')
    })
  if (isMysql(db) && !(await db.schema.hasTable(JOURNAL_TABLE)))
    await db.schema.createTable(JOURNAL_TABLE, (table) => {
      table.string('name').notNullable()
      table.string('direction', 8).notNullable()
    })
}

/** Number of the batch, the unit of a rollback. */
async function nextBatch(db: Knex): Promise<number> {
  const [row] = await db(MIGRATIONS_TABLE).max({ batch: 'batch' })
  return Number(row?.batch ?? 0) + 1
}

async function record(db: Knex, name: string, direction: Direction, batch: number) {
  if (direction === 'down') await db(MIGRATIONS_TABLE).where({ name }).del()
  else await db(MIGRATIONS_TABLE).insert({ name, batch, migration_time: new Date() })
}

async function releaseKnexLock(db: Knex) {
  if (await db.schema.hasTable(KNEX_LOCK_TABLE)) await db(KNEX_LOCK_TABLE).update({ is_locked: 0 })
}

/** MySQL errors for DDL that is already applied. */
const ALREADY_APPLIED = [
  'ER_TABLE_EXISTS_ERROR',
  'ER_DUP_FIELDNAME',
  'ER_DUP_KEYNAME',
  'ER_MULTIPLE_PRI_KEY',
  'ER_CANT_DROP_FIELD_OR_KEY',
  'ER_BAD_TABLE_ERROR',
]

const isAlreadyApplied = (error: unknown) => ALREADY_APPLIED.includes(String((error as { code?: unknown }).code))

interface Statement {
  response?: unknown
}

/** Makes the rest of this transaction ignore errors of DDL that is already applied. */
function skipAppliedDdl(trx: Knex.Transaction) {
  const client = trx.client
  const query = client._query.bind(client)
  client._query = async (connection: unknown, statement: Statement) => {
    try {
      return await query(connection, statement)
    } catch (error) {
      if (!isAlreadyApplied(error)) throw error
      statement.response = [{ affectedRows: 0 }, undefined]
      return statement
    }
  }
}

function explain(error: unknown, name: string): unknown {
  if (!isAlreadyApplied(error)) return error
  const { sqlMessage, message } = error as { sqlMessage?: string; message: string }
  return new DatabaseError(
    `migration ${name}: ${sqlMessage ?? message}. If it was interrupted earlier, ` +
      '`chatctl db migrate --resume` resumes it; otherwise something else uses this name',
    { cause: error },
  )
}
