import type { Knex } from 'knex'
import { openDatabase } from '../../../db/index.ts'

type Callback = (...results: unknown[]) => void

/** What Knex uses of the drivers' connections: `query` of mysql2, `prepare` of better-sqlite3. */
interface Connection {
  prepare?: (sql: string) => unknown
  query?: (options: { sql: string }, bindings: unknown, done: Callback) => void
  destroy?: () => void
}

/**
 * Opens a database whose process seems to be killed after a number of statements that change it: nothing that comes later reaches it,
 * no rollback either.
 * @param killed called before the first statement that is not carried out; it may end the process
 */
export async function openInterrupted(
  where: string,
  after: number,
  killed: () => void = () => {},
): Promise<{ db: Knex; close(): Promise<void>; wasCut(): boolean }> {
  let left = Number.POSITIVE_INFINITY
  const take = (sql: string) => {
    // What only reads leaves the database as it was: being cut short before or after it is the same.
    if (left > 0 && /^\s*(select|show)\b/i.test(sql)) return
    if (left-- > 0) return
    killed()
    throw Object.assign(new Error('the process was killed'), { code: 'KILLED' })
  }
  const connections: Connection[] = []
  const db = await openDatabase(where)
  // The pool keeps the connection that opening it has made.
  await db.destroy()
  const acquire = db.client.acquireRawConnection.bind(db.client)
  db.client.acquireRawConnection = async () => {
    const connection: Connection = await acquire()
    connections.push(connection)
    const { prepare, query } = connection
    if (query !== undefined)
      connection.query = (...args) => {
        // Two arguments: how the connection itself is prepared.
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
      // As the system would: without a word to the database.
      for (const connection of connections) connection.destroy?.()
      await db.destroy()
    },
  }
}
