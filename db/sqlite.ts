import knex, { type Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import { SILENT } from './silent.ts'

/** SQLite's number for synchronous=FULL: each commit is flushed before it returns. */
const FULL = 2

/** Memory for pages of the file, at most. */
const CACHE_KIB = 65_536

interface SqliteConnection {
  pragma(text: string, options?: { simple: boolean }): unknown
  exec(sql: string): void
}

/**
 * Opens a SQLite file, made if missing. WAL and synchronous=FULL: a commit that returned survives a power cut.
 * @throws DatabaseError
 */
export async function openSqlite(file: string): Promise<Knex> {
  const db = knex({
    client: 'better-sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    log: SILENT,
    acquireConnectionTimeout: 5000,
    pool: { min: 1, max: 1, afterCreate: prepare },
  })
  try {
    await db.raw('select 1')
    return db
  } catch (error) {
    await db.destroy()
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

function prepare(connection: SqliteConnection, done: (error: Error | undefined, connection: unknown) => void) {
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
