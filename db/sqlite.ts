import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import type { OpenOptions } from './mysql.ts'
import { SILENT } from './silent.ts'
import { TurnBudget } from './turn.ts'

/** One connection, which is never closed for being idle. */
const POOL = { min: 1, max: 1 }

/** SQLite's number for synchronous=FULL: each commit is flushed before it returns. */
const FULL = 2

/** Memory for pages of the file, at most. */
const CACHE_KIB = 65_536

interface SqliteConnection {
  pragma(text: string, options?: { simple: boolean }): unknown
  exec(sql: string): void
  serialize(): Buffer
  readonly inTransaction: boolean
  /** Set for a connection that the pool must not give out again. */
  __knex__disposed?: unknown
}

type Prepared = (error: Error | undefined, connection: unknown) => void

/**
 * Opens a SQLite file, made if missing. WAL and synchronous=FULL: a commit that returned survives a power cut.
 * @throws DatabaseError
 */
export async function openSqlite(file: string, { busyTimeout }: Pick<OpenOptions, 'busyTimeout'> = {}): Promise<Knex> {
  const afterCreate = (connection: SqliteConnection, done: Prepared) =>
    prepare(connection, (error) => {
      // The driver's own limit holds while the file is opened: that may meet the end of another process.
      if (error === undefined && busyTimeout !== undefined) connection.pragma(`busy_timeout = ${busyTimeout}`)
      done(error, connection)
    })
  const db = open(file, { ...POOL, afterCreate })
  try {
    await db.raw('select 1')
    return db
  } catch (error) {
    await db.destroy()
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Opens a database in memory, for tests: it is gone with its connection.
 * @param image of another one, as `imageOf` gives it; empty if left out
 */
export const openInMemory = (image?: Buffer): Knex =>
  // better-sqlite3 takes an image in place of a file name; Knex hands it on, and only its types do not know that.
  open((image as unknown as string | undefined) ?? ':memory:', POOL)

/** All of a SQLite database as bytes. */
export async function imageOf(db: Knex): Promise<Buffer> {
  const connection: SqliteConnection = await db.client.acquireConnection()
  try {
    return connection.serialize()
  } finally {
    await db.client.releaseConnection(connection)
  }
}

function open(filename: string, pool: Knex.PoolConfig): Knex {
  return knex({
    client: givingUpTurns(),
    connection: { filename },
    useNullAsDefault: true,
    log: SILENT,
    acquireConnectionTimeout: 5000,
    pool,
  })
}

type SqliteClient = new (
  config: Knex.Config,
) => {
  _query(connection: SqliteConnection, statement: object): Promise<unknown>
  releaseConnection(connection: SqliteConnection): Promise<unknown>
}

/**
 * Knex's better-sqlite3 client, which lets timers and sockets have their turn between statements, and never hands on a
 * connection with an open transaction: after a COMMIT that failed, whatever came next would be in it and be lost with it.
 */
function givingUpTurns(): typeof Knex.Client {
  const Client: SqliteClient = createRequire(import.meta.url)('knex/lib/dialects/better-sqlite3/index.js')
  const turns = new TurnBudget()
  return class extends Client {
    override async _query(connection: SqliteConnection, statement: object) {
      await turns.rest()
      return super._query(connection, statement)
    }

    override releaseConnection(connection: SqliteConnection) {
      if (connection.inTransaction) {
        try {
          connection.exec('rollback')
        } catch (error) {
          // Knex closes it and opens another one.
          connection.__knex__disposed = error
        }
      }
      return super.releaseConnection(connection)
    }
  } as never
}

function prepare(connection: SqliteConnection, done: Prepared) {
  try {
    connection.pragma('journal_mode = WAL')
    connection.pragma('temp_store = MEMORY')
    connection.pragma('synchronous = FULL')
    connection.pragma(`cache_size = -${CACHE_KIB}`)
    // better-sqlite3 is built so that WAL falls back to NORMAL at the first statement: run one, then look.
    connection.exec('select name from sqlite_master limit 1')
    if (connection.pragma('synchronous', { simple: true }) !== FULL) throw new Error('synchronous=FULL was not taken')
    done(undefined, connection)
  } catch (error) {
    done(error as Error, connection)
  }
}
