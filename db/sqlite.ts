import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import type { OpenOptions } from './mysql.ts'
import { SILENT_LOG } from './silent-log.ts'
import { Sqlite } from './sqlite-driver.ts'
import { TurnBudget } from './turn.ts'

/** A single connection, never closed for being idle. */
const POOL = { min: 1, max: 1 }

/** `pragma synchronous` of FULL: each commit is flushed to disk before it returns. */
const SYNCHRONOUS_FULL = 2

/** Upper bound of SQLite's page cache. */
const PAGE_CACHE_KIB = 65_536

interface SqliteConnection {
  pragma(text: string, options?: { simple: boolean }): unknown
  exec(sql: string): void
  serialize(): Buffer
  readonly inTransaction: boolean
  /** Set to make Knex's pool discard the connection. */
  __knex__disposed?: unknown
}

type Prepared = (error: Error | undefined, connection: unknown) => void

/**
 * Opens a SQLite file, created if missing. WAL and synchronous=FULL: a commit that returned survives a power cut.
 * @throws DatabaseError
 */
export async function openSqlite(file: string, { busyTimeout }: Pick<OpenOptions, 'busyTimeout'> = {}): Promise<Knex> {
  const afterCreate = (connection: SqliteConnection, done: Prepared) =>
    prepare(connection, (error) => {
      // Set after opening, which keeps the driver's default: another process may still be closing the file.
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
 * Opens an in-memory database for tests; its data is lost when the connection closes.
 * @param image initial contents, from `imageOf`; an empty database if omitted
 */
export const openInMemory = (image?: Buffer): Knex =>
  // better-sqlite3 accepts an image in place of a file name, and Knex passes it through; only Knex's types forbid it.
  open((image as unknown as string | undefined) ?? ':memory:', POOL)

/** A SQLite database serialized to bytes. */
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
    client: yieldingClient(),
    connection: { filename },
    useNullAsDefault: true,
    log: SILENT_LOG,
    acquireConnectionTimeout: 5000,
    pool,
  })
}

type SqliteClient = new (
  config: Knex.Config,
) => {
  _driver(): unknown
  _query(connection: SqliteConnection, statement: object): Promise<unknown>
  releaseConnection(connection: SqliteConnection): Promise<unknown>
}

/**
 * Knex's better-sqlite3 client that yields to timers and sockets between statements, and rolls back a transaction that is
 * still open when its connection is released: after a failed COMMIT, later statements would join it and be lost with it.
 */
function yieldingClient(): typeof Knex.Client {
  const Client: SqliteClient = createRequire(import.meta.url)('knex/lib/dialects/better-sqlite3/index.js')
  const turns = new TurnBudget()
  return class extends Client {
    /** Shared by all statements of this database. */
    get turns() {
      return turns
    }

    override _driver() {
      return Sqlite
    }

    override async _query(connection: SqliteConnection, statement: object) {
      await turns.yieldIfSpent()
      return super._query(connection, statement)
    }

    override releaseConnection(connection: SqliteConnection) {
      if (connection.inTransaction) {
        try {
          connection.exec('rollback')
        } catch (error) {
          // Knex closes the connection and opens a new one.
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
    connection.pragma(`cache_size = -${PAGE_CACHE_KIB}`)
    // better-sqlite3 is compiled to lower WAL databases to NORMAL at the first statement: run one, then verify.
    connection.exec('select name from sqlite_master limit 1')
    if (connection.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL)
      throw new Error('synchronous=FULL has no effect')
    done(undefined, connection)
  } catch (error) {
    done(error as Error, connection)
  }
}
