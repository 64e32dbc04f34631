import type { Knex } from 'knex'
import type { Database, Statement } from './sqlite-driver.ts'
import type { TurnBudget } from './turn.ts'

type Values = readonly (number | string | null)[]

/** Statements that a connection keeps; their texts are constants of the source, some with lists of a few lengths. */
const MAX_PREPARED = 200

const prepared = new WeakMap<Database, Map<string, Statement>>()

/**
 * Runs statements that return rows, past Knex: building and compiling one takes ten times as long as running it. Yields to
 * timers and sockets between statements, as Knex's client does, and emits the same events.
 */
export async function sqliteRows(
  db: Knex,
  statements: readonly (readonly [sql: string, values: Values])[],
): Promise<unknown[]> {
  if (statements.length === 0) return []
  const found: unknown[] = []
  const { turns }: { turns: TurnBudget } = db.client
  let connection: Database = await db.client.acquireConnection()
  try {
    for (const [sql, values] of statements) {
      const pause = turns.yieldIfSpent()
      if (pause !== undefined) {
        // With the connection: the pauses of all reads follow each other, and a commit in between would make each longer.
        await pause
        await db.client.releaseConnection(connection)
        // After the writer of messages, if it waits.
        connection = await db.client.acquireConnection()
      }
      for (const row of rowsOf(db, connection, sql, values)) found.push(row)
    }
    return found
  } finally {
    await db.client.releaseConnection(connection)
  }
}

function rowsOf(db: Knex, connection: Database, sql: string, values: Values): unknown[] {
  const statement = statementOf(connection, sql)
  if (db.listenerCount('query') + db.listenerCount('query-response') === 0) return statement.all(values)
  db.client.emit('query', { sql, bindings: values })
  const rows = statement.all(values)
  db.client.emit('query-response', rows, { sql, bindings: values })
  return rows
}

function statementOf(connection: Database, sql: string): Statement {
  let known = prepared.get(connection)
  if (known === undefined) {
    known = new Map()
    prepared.set(connection, known)
  }
  let statement = known.get(sql)
  if (statement === undefined) {
    if (known.size === MAX_PREPARED) known.clear()
    statement = connection.prepare(sql)
    known.set(sql, statement)
  }
  return statement
}
