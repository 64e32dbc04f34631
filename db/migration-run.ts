import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import type { Migration } from './migration.ts'
import { isMysql } from './migrations/tables.ts'

/**
 * Runs migrations so that a run that was cut short anywhere is continued by the next one. SQLite undoes all of a run.
 * MySQL commits each change of the schema by itself, so a journal says which migration was begun; that one is run again
 * from its beginning, and changes that are there already are passed over. Knex's own migrator can do neither, and its
 * lock outlives the process that took it.
 */

/** Records what has run; the layout is Knex's, whose migrator older versions used. */
export const MIGRATIONS_TABLE = 'chatctl_migrations'
/** Lock of Knex's migrator: set for good when an older version was killed while it migrated. */
const KNEX_LOCK_TABLE = `${MIGRATIONS_TABLE}_lock`
/** MySQL: the migration under way. */
const JOURNAL_TABLE = 'chatctl_migrations_begun'

/** All tables that this file and its predecessor make, in the order in which to drop them. */
export const MIGRATOR_TABLES = [JOURNAL_TABLE, KNEX_LOCK_TABLE, MIGRATIONS_TABLE] as const

export type Direction = 'up' | 'down'

export interface Step {
  readonly name: string
  readonly migration: Migration
}

/** A migration that was begun and not finished. */
export interface CutShort {
  /** Undefined when an older version was killed, which kept no record of the migration under way. */
  readonly name?: string
  readonly direction: Direction
}

/** What an interrupted run has left behind; undefined when there was none, or the database undid it. */
export async function findCutShort(db: Knex): Promise<CutShort | undefined> {
  if (!isMysql(db)) return undefined
  if (await db.schema.hasTable(JOURNAL_TABLE)) {
    const begun: { name: string; direction: Direction }[] = await db(JOURNAL_TABLE)
    const recorded = new Set<string>(await db(MIGRATIONS_TABLE).pluck('name'))
    // A row whose migration is finished was only not deleted any more.
    const open = begun.find(({ name, direction }) => recorded.has(name) === (direction === 'down'))
    if (open !== undefined) return { name: open.name, direction: open.direction }
  }
  const wasKilled =
    (await db.schema.hasTable(KNEX_LOCK_TABLE)) && (await db(KNEX_LOCK_TABLE).where({ is_locked: 1 }).first())
  return wasKilled ? { direction: 'up' } : undefined
}

/**
 * Runs the steps in this order and records each. Only for whoever holds the lock of the database.
 * @param resume the first of them may have been carried out in part
 * @throws DatabaseError when a step meets what should not be there yet
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
      await freeKnexLock(trx)
    })
    return
  }
  await makeTables(db)
  const batch = await nextBatch(db)
  for (const [index, { name, migration }] of steps.entries()) {
    await db(JOURNAL_TABLE).del()
    await db(JOURNAL_TABLE).insert({ name, direction })
    // Undone as a whole only as long as it changes no schema.
    await db.transaction(async (trx) => {
      if (resume && index === 0) passOverWhatIsThere(trx)
      await migration[direction](trx).catch((error) => {
        throw explain(error, name)
      })
      await record(trx, name, direction, batch)
    })
  }
  await db(JOURNAL_TABLE).del()
  await freeKnexLock(db)
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

/** Number of the batch that is undone together. */
async function nextBatch(db: Knex): Promise<number> {
  const [row] = await db(MIGRATIONS_TABLE).max({ batch: 'batch' })
  return Number(row?.batch ?? 0) + 1
}

async function record(db: Knex, name: string, direction: Direction, batch: number) {
  if (direction === 'down') await db(MIGRATIONS_TABLE).where({ name }).del()
  else await db(MIGRATIONS_TABLE).insert({ name, batch, migration_time: new Date() })
}

async function freeKnexLock(db: Knex) {
  if (await db.schema.hasTable(KNEX_LOCK_TABLE)) await db(KNEX_LOCK_TABLE).update({ is_locked: 0 })
}

/** Errors of MySQL that say: this change was made before. */
const THERE_ALREADY = [
  'ER_TABLE_EXISTS_ERROR',
  'ER_DUP_FIELDNAME',
  'ER_DUP_KEYNAME',
  'ER_MULTIPLE_PRI_KEY',
  'ER_CANT_DROP_FIELD_OR_KEY',
  'ER_BAD_TABLE_ERROR',
]

const isThereAlready = (error: unknown) => THERE_ALREADY.includes(String((error as { code?: unknown }).code))

interface Statement {
  response?: unknown
}

/** From here on, changes of the schema that were made before are no errors in this transaction. */
function passOverWhatIsThere(trx: Knex.Transaction) {
  const client = trx.client
  const query = client._query.bind(client)
  client._query = async (connection: unknown, statement: Statement) => {
    try {
      return await query(connection, statement)
    } catch (error) {
      if (!isThereAlready(error)) throw error
      statement.response = [{ affectedRows: 0 }, undefined]
      return statement
    }
  }
}

function explain(error: unknown, name: string): unknown {
  if (!isThereAlready(error)) return error
  const { sqlMessage, message } = error as { sqlMessage?: string; message: string }
  return new DatabaseError(
    `migration ${name}: ${sqlMessage ?? message}. If it was cut short earlier, ` +
      '`chatctl db migrate --resume` goes on with it; otherwise something else has a table of this name',
    { cause: error },
  )
}
