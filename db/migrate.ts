import type { Knex } from 'knex'
import { LEDGER_TABLES } from './adopt/ledger.ts'
import { DatabaseError } from './errors.ts'
import type { Migration } from './migration.ts'
import { type CutShort, findCutShort, MIGRATIONS_TABLE, MIGRATOR_TABLES, runSteps, type Step } from './migration-run.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { isMysql } from './migrations/tables.ts'

export type { Migration } from './migration.ts'
export { MIGRATIONS_TABLE, MIGRATOR_TABLES } from './migration-run.ts'

/** Migrations by name, in the order they run. Plugins' are named `plugin/name`. */
export type Migrations = Readonly<Record<string, Migration>>

export interface MigrationState {
  readonly done: readonly string[]
  readonly pending: readonly string[]
  /** Recorded in the database, but of a plugin that is not loaded now. */
  readonly unknown: readonly string[]
  /** Recorded in the database by a newer version of this program: this one must not use it. */
  readonly newer: readonly string[]
  /** What an interrupted run has left half done: `migrate` or `rollback` goes on with it. */
  readonly cutShort: 'migrate' | 'rollback' | undefined
}

/**
 * Brings the schema up to date; returns the names of what ran. All of it is one batch, undone by one rollback. Only for
 * whoever holds the lock of the database. A run that was cut short is continued.
 * @param options.resume continue one that an older version has left without a trace
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
  const begun = await findCutShort(db)
  const names = begunFirst(state.pending, begun)
  if (begun?.name !== undefined && names[0] !== begun.name)
    throw new DatabaseError(`${begun.name} was cut short, of a plugin that is not loaded: name it with --plugin`)
  await runSteps(db, stepsOf(names, plugins), 'up', { resume: resume || state.cutShort === 'migrate' })
  return names
}

/** Said where a half-undone database must not be used. */
export const UNFINISHED_ROLLBACK = 'a rollback of this database was cut short: run the same `chatctl db rollback` again'

/** @throws DatabaseError when a newer version has changed the schema */
export function refuseNewer({ newer }: MigrationState) {
  if (newer.length > 0)
    throw new DatabaseError(
      `the database was changed by a newer version of chatctl (${newer.join(', ')}): use that version, or restore a ` +
        'backup that was made before the upgrade',
    )
}

/**
 * What `rollback` would undo, newest first.
 * @throws DatabaseError when it holds a migration of a plugin that is not loaded: nobody knows how to undo it
 */
export async function lastBatch(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  const state = await migrationState(db, plugins)
  refuseNewer(state)
  if (state.cutShort === 'migrate')
    throw new DatabaseError('a migration of this database was cut short: finish it with `chatctl db migrate` first')
  if (state.done.length + state.unknown.length === 0) return []
  const newest = db(MIGRATIONS_TABLE).max('batch')
  const names: string[] = await db(MIGRATIONS_TABLE).where('batch', newest).orderBy('id', 'desc').pluck('name')
  refuseUnknown(names.filter((name) => state.unknown.includes(name)))
  return begunFirst(names, await findCutShort(db))
}

/** The one under way first, whatever was added before it since. */
const begunFirst = (names: readonly string[], begun: CutShort | undefined): string[] =>
  [...names].sort((one, other) => Number(other === begun?.name) - Number(one === begun?.name))

/**
 * Undoes the last batch; returns the names of what was undone. Only for whoever holds the lock of the database.
 * @throws DatabaseError as lastBatch does
 */
export async function rollback(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  const names = await lastBatch(db, plugins)
  const { cutShort } = await migrationState(db, plugins)
  if (names.length > 0) await runSteps(db, stepsOf(names, plugins), 'down', { resume: cutShort === 'rollback' })
  return names
}

/** Undoes all migrations, newest first: no table of this program is left. @throws DatabaseError as lastBatch does */
export async function rollbackAll(db: Knex, plugins: Migrations = {}) {
  // One that is half done cannot be undone: nobody knows how much of it is there.
  if ((await migrationState(db, plugins)).cutShort === 'migrate') await migrate(db, plugins)
  const state = await migrationState(db, plugins)
  refuseNewer(state)
  refuseUnknown(state.unknown)
  const names = begunFirst([...state.done].reverse(), await findCutShort(db))
  if (names.length > 0) await runSteps(db, stepsOf(names, plugins), 'down', { resume: state.cutShort !== undefined })
  for (const table of [...LEDGER_TABLES, ...MIGRATOR_TABLES]) await db.schema.dropTableIfExists(table)
}

function refuseUnknown(unknown: readonly string[]) {
  if (unknown.length > 0)
    throw new DatabaseError(`${unknown.join(', ')} was made by a plugin that is not loaded: name it with --plugin`)
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
  const cutShort = await findCutShort(db)
  return {
    done: recorded.filter((name) => known.includes(name)),
    pending: known.filter((name) => !recorded.includes(name)),
    unknown: foreign.filter((name) => name.includes('/')),
    newer: foreign.filter((name) => !name.includes('/')),
    cutShort: cutShort && (cutShort.direction === 'up' ? 'migrate' : 'rollback'),
  }
}

/** Its tables have the names of ours. */
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

/**
 * True when nothing is lost by a change of the schema: there is no table, or a first start was cut short before there
 * was an account.
 */
export async function isUnused(db: Knex): Promise<boolean> {
  if (await isEmpty(db)) return true
  if (!(await db.schema.hasTable(MIGRATIONS_TABLE))) return false
  for (const table of ['userinfo', 'chatmsg'])
    if ((await db.schema.hasTable(table)) && (await db(table).first('id')) !== undefined) return false
  return true
}
