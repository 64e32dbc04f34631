import type { Knex } from 'knex'
import { openDatabase } from '../../../db/index.ts'

type Callback = (...results: unknown[]) => void

/** The methods of the drivers' connections that Knex calls: `query` of mysql2, `prepare` of better-sqlite3. */
interface Connection {
  prepare?: (sql: string) => unknown
  query?: (options: { sql: string }, bindings: unknown, done: Callback) => void
  destroy?: () => void
}

/**
 * Opens a database as if its process were killed after a number of writing statements: later statements do not reach it,
 * not even a rollback.
 * @param killed called before the first statement that is not executed; it may end the process
 */
export async function openInterrupted(
  where: string,
  after: number,
  killed: () => void = () => {},
): Promise<{ db: Knex; close(): Promise<void>; wasCut(): boolean }> {
  let left = Number.POSITIVE_INFINITY
  const take = (sql: string) => {
    // Reads change nothing: an interruption before or after one is the same.
    if (left > 0 && /^\s*(select|show)\b/i.test(sql)) return
    if (left-- > 0) return
    killed()
    throw Object.assign(new Error('the process was killed'), { code: 'KILLED' })
  }
  const connections: Connection[] = []
  const db = await openDatabase(where)
  // The pool still has the connection from opening, which is not patched.
  await db.destroy()
  const acquire = db.client.acquireRawConnection.bind(db.client)
  db.client.acquireRawConnection = async () => {
    const connection: Connection = await acquire()
    connections.push(connection)
    const { prepare, query } = connection
    if (query !== undefined)
      connection.query = (...args) => {
        // Two arguments: setup of the connection itself.
        if (args.length > 2) take(args[0].sql)
        return query.apply(connection, args)
      }
    else if (prepare !== undefined)
      connection.prepare = (sql) => {
        take(sql)
        return prepare.call(connection, sql)
      }
    return connection
  }
  db.initialize()
  await db.raw('select 1')
  left = after
  return {
    db,
    wasCut: () => left < 0,
    async close() {
      // As the kernel does for a killed process: without notice to the database.
      for (const connection of connections) connection.destroy?.()
      await db.destroy()
    },
  }
}
