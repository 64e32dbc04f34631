import type { Knex } from 'knex'
import { LEDGER_TABLES } from './adopt/ledger.ts'
import { DatabaseError } from './errors.ts'
import type { Migration } from './migration.ts'
import {
  findInterrupted,
  type InterruptedMigration,
  MIGRATIONS_TABLE,
  MIGRATOR_TABLES,
  runSteps,
  type Step,
} from './migration-run.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { isMysql } from './migrations/tables.ts'

export type { Migration } from './migration.ts'
export { MIGRATIONS_TABLE, MIGRATOR_TABLES } from './migration-run.ts'

/** Migrations by name, in the order they run. Those of plugins are named `plugin/name`. */
export type Migrations = Readonly<Record<string, Migration>>

export interface MigrationState {
  readonly done: readonly string[]
  readonly pending: readonly string[]
  /** Recorded, but defined by a plugin that is not loaded. */
  readonly unknown: readonly string[]
  /** Recorded by a newer version of chatctl: this version must not use the database. */
  readonly newer: readonly string[]
  /** The interrupted run, if there is one: `migrate` or `rollback` resumes it. */
  readonly cutShort: 'migrate' | 'rollback' | undefined
}

/**
 * Runs all pending migrations as one batch, which one rollback undoes; resumes an interrupted run. The caller holds the
 * database lock.
 * @param options.resume resume a run of an older version, which kept no record of it
 * @returns the names of the migrations that ran
 * @throws DatabaseError on a database of the original chat room or of a newer version, or when a rollback is unfinished
 */
export async function migrate(
  db: Knex,
  plugins: Migrations = {},
  { resume = false }: { resume?: boolean } = {},
): Promise<string[]> {
  if (await isOriginal(db))
    throw new DatabaseError(
      'this is the original chat room’s database: take it over with `chatctl db adopt URL --in-place`',
    )
  const state = await migrationState(db, plugins)
  refuseNewer(state)
  if (state.cutShort === 'rollback') throw new DatabaseError(UNFINISHED_ROLLBACK)
  if (state.pending.length === 0 && state.cutShort === undefined) return []
  const interrupted = await findInterrupted(db)
  const names = interruptedFirst(state.pending, interrupted)
  if (interrupted?.name !== undefined && names[0] !== interrupted.name)
    throw new DatabaseError(`${interrupted.name} was interrupted; its plugin is not loaded: name it with --plugin`)
  await runSteps(db, stepsOf(names, plugins), 'up', { resume: resume || state.cutShort === 'migrate' })
  return names
}

/** Error text for a database whose rollback was interrupted; it must not be used. */
export const UNFINISHED_ROLLBACK =
  'a rollback of this database was interrupted: run the same `chatctl db rollback` again'

/** @throws DatabaseError when a newer version has changed the schema */
export function refuseNewer({ newer }: MigrationState) {
  if (newer.length > 0)
    throw new DatabaseError(
      `the database was changed by a newer version of chatctl (${newer.join(', ')}): use that version, or restore a ` +
        'backup that was made before the upgrade',
    )
}

/**
 * Names of the migrations that `rollback` would undo, newest first.
 * @throws DatabaseError when one belongs to a plugin that is not loaded, which alone could undo it
 */
export async function lastBatch(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  const state = await migrationState(db, plugins)
  refuseNewer(state)
  if (state.cutShort === 'migrate')
    throw new DatabaseError('a migration of this database was interrupted: finish it with `chatctl db migrate` first')
  if (state.done.length + state.unknown.length === 0) return []
  const newest = db(MIGRATIONS_TABLE).max('batch')
  const names: string[] = await db(MIGRATIONS_TABLE).where('batch', newest).orderBy('id', 'desc').pluck('name')
  refuseUnknown(names.filter((name) => state.unknown.includes(name)))
  return interruptedFirst(names, await findInterrupted(db))
}

/** Moves the interrupted migration to the front, even if others were added before it since. */
const interruptedFirst = (names: readonly string[], interrupted: InterruptedMigration | undefined): string[] =>
  [...names].sort((one, other) => Number(other === interrupted?.name) - Number(one === interrupted?.name))

/**
 * Undoes the last batch. The caller holds the database lock.
 * @returns the names of the migrations that were undone
 * @throws DatabaseError as lastBatch does
 */
export async function rollback(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  const names = await lastBatch(db, plugins)
  const { cutShort } = await migrationState(db, plugins)
  if (names.length > 0) await runSteps(db, stepsOf(names, plugins), 'down', { resume: cutShort === 'rollback' })
  return names
}

/** Undoes all migrations, newest first, and drops all tables of chatctl. @throws DatabaseError as lastBatch does */
export async function rollbackAll(db: Knex, plugins: Migrations = {}) {
  // An interrupted migration must be finished before it can be undone: how much of it is applied is unknown.
  if ((await migrationState(db, plugins)).cutShort === 'migrate') await migrate(db, plugins)
  const state = await migrationState(db, plugins)
  refuseNewer(state)
  refuseUnknown(state.unknown)
  const names = interruptedFirst([...state.done].reverse(), await findInterrupted(db))
  if (names.length > 0) await runSteps(db, stepsOf(names, plugins), 'down', { resume: state.cutShort !== undefined })
  for (const table of [...LEDGER_TABLES, ...MIGRATOR_TABLES]) await db.schema.dropTableIfExists(table)
}

function refuseUnknown(unknown: readonly string[]) {
  if (unknown.length > 0)
    throw new DatabaseError(`${unknown.join(', ')} is of a plugin that is not loaded: name it with --plugin`)
}

const stepsOf = (names: readonly string[], plugins: Migrations): Step[] => {
  const all: Migrations = { ...MIGRATIONS, ...plugins }
  return names.map((name) => ({ name, migration: all[name] as Migration }))
}

export async function migrationState(db: Knex, plugins: Migrations = {}): Promise<MigrationState> {
  const known = [...Object.keys(MIGRATIONS), ...Object.keys(plugins)]
  const recorded: string[] = (await db.schema.hasTable(MIGRATIONS_TABLE))
    ? await db(MIGRATIONS_TABLE).orderBy('id').pluck('name')
    : []
  const foreign = recorded.filter((name) => !known.includes(name))
  const cutShort = await findInterrupted(db)
  return {
    done: recorded.filter((name) => known.includes(name)),
    pending: known.filter((name) => !recorded.includes(name)),
    unknown: foreign.filter((name) => name.includes('/')),
    newer: foreign.filter((name) => !name.includes('/')),
    cutShort: cutShort && (cutShort.direction === 'up' ? 'migrate' : 'rollback'),
  }
}

/** True for a database of the original chat room, whose tables have the same names. */
const isOriginal = async (db: Knex): Promise<boolean> =>
  (await db.schema.hasTable('userinfo')) && !(await db.schema.hasTable(MIGRATIONS_TABLE))

/** True when the database holds no table at all. */
export async function isEmpty(db: Knex): Promise<boolean> {
  const tables = isMysql(db)
    ? db('information_schema.tables').whereRaw('table_schema = database()')
    : db('sqlite_master').where({ type: 'table' })
  const [row] = await tables.count({ tables: '*' })
  return Number(row?.tables) === 0
}

/** True when a change of the schema can lose no data: there are no tables, or no account and no message. */
export async function isUnused(db: Knex): Promise<boolean> {
  if (await isEmpty(db)) return true
  if (!(await db.schema.hasTable(MIGRATIONS_TABLE))) return false
  for (const table of ['userinfo', 'chatmsg'])
    if ((await db.schema.hasTable(table)) && (await db(table).first('id')) !== undefined) return false
  return true
}
