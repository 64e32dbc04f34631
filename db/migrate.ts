import type { Knex } from 'knex'
import { LEDGER_TABLES } from './adopt/ledger.ts'
import { DatabaseError } from './errors.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { isMysql } from './migrations/tables.ts'

/** One schema change, run in a transaction where the database can. */
export interface Migration {
  up(db: Knex): Promise<unknown>
  down(db: Knex): Promise<unknown>
}

/** Migrations by name, in the order they run. Plugins' are named `plugin/name`. */
export type Migrations = Readonly<Record<string, Migration>>

export interface MigrationState {
  readonly done: readonly string[]
  readonly pending: readonly string[]
  /** Recorded in the database, but belonging to nothing that is loaded now: a plugin that was left out. */
  readonly unknown: readonly string[]
}

/** The table in which Knex records what has run. */
export const MIGRATIONS_TABLE = 'chatctl_migrations'

function config(plugins: Migrations): Knex.MigratorConfig {
  const all: Migrations = { ...MIGRATIONS, ...plugins }
  return {
    tableName: MIGRATIONS_TABLE,
    // A plugin may be left out for a while: its recorded migrations are then unknown here, and that is fine.
    disableMigrationsListValidation: true,
    migrationSource: {
      getMigrations: async () => Object.keys(all),
      getMigrationName: (name: string) => name,
      getMigration: async (name: string) => all[name] as Migration,
    },
  }
}

/**
 * Brings the schema up to date; returns the names of what ran. All of it is one batch, undone by one rollback.
 * @throws DatabaseError on a database of the original chat room, which has other tables of the same names
 */
export async function migrate(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  if (await isOriginal(db))
    throw new DatabaseError(
      'this is the original chat room’s database: take it over with `chatctl db adopt URL --in-place`',
    )
  const [, names] = await db.migrate.latest(config(plugins))
  return names
}

/**
 * Undoes the last batch; returns the names of what was undone.
 * @throws DatabaseError when it holds a migration of a plugin that is not loaded: nobody knows how to undo it
 */
export async function rollback(db: Knex, plugins: Migrations = {}): Promise<string[]> {
  const { unknown } = await migrationState(db, plugins)
  const [last] = unknown.length > 0 ? await db(MIGRATIONS_TABLE).max({ batch: 'batch' }) : []
  const lost =
    unknown.length > 0
      ? await db(MIGRATIONS_TABLE).where({ batch: last?.batch }).whereIn('name', unknown).pluck('name')
      : []
  if (lost.length > 0)
    throw new DatabaseError(`${lost.join(', ')} was made by a plugin that is not loaded: name it with --plugin`)
  const [, names] = await db.migrate.rollback(config(plugins))
  return names
}

/** Undoes all migrations, newest first: no table of this program is left. @throws DatabaseError as rollback does */
export async function rollbackAll(db: Knex, plugins: Migrations = {}) {
  const { unknown } = await migrationState(db, plugins)
  if (unknown.length > 0)
    throw new DatabaseError(`${unknown.join(', ')} was made by a plugin that is not loaded: name it with --plugin`)
  await db.migrate.rollback(config(plugins), true)
  for (const table of [MIGRATIONS_TABLE, `${MIGRATIONS_TABLE}_lock`, ...LEDGER_TABLES])
    await db.schema.dropTableIfExists(table)
}

export async function migrationState(db: Knex, plugins: Migrations = {}): Promise<MigrationState> {
  const known = [...Object.keys(MIGRATIONS), ...Object.keys(plugins)]
  const recorded: string[] = (await db.schema.hasTable(MIGRATIONS_TABLE))
    ? await db(MIGRATIONS_TABLE).orderBy('id').pluck('name')
    : []
  return {
    done: recorded.filter((name) => known.includes(name)),
    pending: known.filter((name) => !recorded.includes(name)),
    unknown: recorded.filter((name) => !known.includes(name)),
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
