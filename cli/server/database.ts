import { open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { SetupError, SYSTEM_CLOCK } from '../../core/index.ts'
import {
  checkAfterCrash,
  checkLog,
  DatabaseInUse,
  type DatabaseLock,
  type Endpoints,
  finishRestore,
  isDatabaseUrl,
  isHalfAdopted,
  isHalfRestored,
  isUnused,
  LEASE_MS,
  type LockOptions,
  livingNodes,
  lockFile,
  lockMysql,
  type Migrations,
  migrate,
  migrationState,
  openDatabase,
  refuseNewer,
  UNFINISHED_ROLLBACK,
  withoutPassword,
} from '../../db/index.ts'
import { explained } from '../errors/explained.ts'

/** Time limit of a statement in milliseconds; beyond it the database counts as down, and the next of several servers is tried. */
const STATEMENT_MS = { one: 4000, several: 2500 }
/** Longest wait in milliseconds for another process that writes to the SQLite file; it blocks the event loop. */
const BUSY_MS = 100

export const HALF_RESTORED = 'a restore of this database was cut short: run the same `chatctl db restore` again'

export interface ServerDatabaseOptions {
  readonly migrations: Migrations
  readonly log: Logger
  /** Whether to bring an older database up to date; a new one always is. */
  readonly migrate: boolean
  readonly endpoints?: Endpoints | undefined
}

export interface ServerDatabase {
  readonly db: Knex
  /** Whether the database was empty. */
  readonly isNew: boolean
}

/**
 * Takes the lock of a database, which one server may use, or one command that changes its schema. A SQLite file in the
 * data folder is locked with the folder: the caller holds that lock already.
 * @throws DatabaseInUse when another one holds it
 */
export async function lockDatabase(data: string, where: string, options?: LockOptions): Promise<DatabaseLock> {
  if (isDatabaseUrl(where)) {
    const lock = await lockMysql(where, options)
    try {
      await refuseNodes(where)
      return lock
    } catch (error) {
      await lock.release()
      throw error
    }
  }
  return explained(`cannot lock the database ${where}`, async () => {
    // Two folders may name one file, also through links.
    const path = await realpath(where).catch(async (error) => {
      if (error.code !== 'ENOENT') throw error
      return join(await realpath(dirname(where)), basename(where))
    })
    const folder = dirname(path)
    if (folder === (await realpath(data).catch(() => data))) return { release: async () => {} }
    // The lock of the folder that the file is in: a server of that folder holds the same one.
    return lockFile(join(folder, 'lock'), `the database ${path}`)
  })
}

/** @throws DatabaseInUse when nodes of a cluster use the database */
async function refuseNodes(where: string) {
  const db = await openDatabase(where, { readOnly: true })
  try {
    const names = await livingNodes(db, SYSTEM_CLOCK)
    if (names.length > 0)
      throw new DatabaseInUse(
        `the database ${withoutPassword(where)} as node of a cluster: ${names.join(', ')} (one that was killed counts for ` +
          `${LEASE_MS / 1000} s)`,
      )
  } finally {
    await db.destroy()
  }
}

/**
 * Opens the database of a server: ends a restore that was cut short, checks it after a crash, and brings its schema up
 * to date where nothing is lost by it. The caller must hold its lock.
 * @throws SetupError, DatabaseError, CliError
 */
export async function openServerDatabase(
  where: string,
  { migrations, log, migrate: wanted, endpoints }: ServerDatabaseOptions,
): Promise<ServerDatabase> {
  const crashed = isDatabaseUrl(where) ? false : await prepareFile(where, log)
  // With a connection of its own: a migration may take longer than any statement of a running server.
  const preparing = await openDatabase(where, { endpoints })
  let isNew: boolean
  try {
    if (crashed) await checkAfterCrash(preparing, where)
    isNew = await bringUpToDate(preparing, migrations, wanted)
  } finally {
    await preparing.destroy()
  }
  const statementTimeout = endpoints?.areSeveral ? STATEMENT_MS.several : STATEMENT_MS.one
  return { db: await openDatabase(where, { statementTimeout, busyTimeout: BUSY_MS, endpoints }), isNew }
}

/** @returns whether the last process that used the file has crashed */
async function prepareFile(file: string, log: Logger): Promise<boolean> {
  return explained(`cannot open the database ${file}`, async () => {
    const aside = await finishRestore(file)
    if (aside !== undefined) log.warn({ aside }, 'finished an interrupted restore; the former database is set aside')
    // Made before SQLite does: the files beside it then get the same mode.
    await (await open(file, 'a', 0o600)).close()
    return checkLog(file)
  })
}

async function bringUpToDate(db: Knex, migrations: Migrations, wanted: boolean): Promise<boolean> {
  if (await isHalfRestored(db)) throw new SetupError(HALF_RESTORED)
  if (await isHalfAdopted(db))
    throw new SetupError('the database is adopted only in part: run the same `chatctl db adopt` again')
  const state = await migrationState(db, migrations)
  refuseNewer(state)
  if (state.cutShort === 'rollback') throw new SetupError(UNFINISHED_ROLLBACK)
  const isNew = await isUnused(db)
  const { pending } = state
  if (pending.length === 0 && state.cutShort === undefined) return isNew
  const nodes = await livingNodes(db, SYSTEM_CLOCK)
  if (nodes.length > 0)
    throw new SetupError(
      `the database needs ${pending.length} migration(s), and nodes of a cluster use it: ${nodes.join(', ')}. Stop them ` +
        'first, then run `chatctl db migrate` with the same --plugin; or start this node with their version',
    )
  if (!isNew && !wanted)
    throw new SetupError(
      `the database needs ${pending.length} migration(s): ${pending.join(', ')}. Make a backup, then run ` +
        '`chatctl db migrate` with the same --data and --plugin, or `chatctl serve --migrate`',
    )
  await migrate(db, migrations)
  return isNew
}
