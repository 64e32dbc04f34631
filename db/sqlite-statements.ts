import type { Knex } from 'knex'
import type { Database, Statement } from './sqlite-driver.ts'
import type { TurnBudget } from './turn.ts'

type Values = readonly (number | string | null)[]

/** Makes a row of the values of its columns. */
type RowOf<T> = (values: readonly unknown[]) => T

/** Statements that a connection keeps; their texts are constants of the source, some with lists of a few lengths. */
const MAX_PREPARED = 200

const prepared = new WeakMap<Database, Map<string, Statement>>()

/**
 * Runs statements that return rows, past Knex: building and compiling one takes ten times as long as running it. Yields to
 * timers and sockets between statements, as Knex's client does, and emits the same events.
 * @param rowOf makes a row of its values; a text of a statement is always given with the same one, or none
 */
export async function sqliteRows<T = unknown>(
  db: Knex,
  statements: readonly (readonly [sql: string, values: Values])[],
  rowOf?: RowOf<T>,
): Promise<T[]> {
  if (statements.length === 0) return []
  const found: T[] = []
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
      for (const row of rowsOf(db, connection, sql, values, rowOf)) found.push(row)
    }
    return found
  } finally {
    await db.client.releaseConnection(connection)
  }
}

function rowsOf<T>(
  db: Knex,
  connection: Database,
  sql: string,
  values: Values,
  rowOf: RowOf<T> | undefined,
): readonly T[] {
  const statement = statementOf(connection, sql, rowOf !== undefined)
  const isHeard = db.listenerCount('query') + db.listenerCount('query-response') > 0
  if (isHeard) db.client.emit('query', { sql, bindings: values })
  const found = statement.all(values)
  const rows = rowOf === undefined ? (found as T[]) : (found as unknown[][]).map(rowOf)
  if (isHeard) db.client.emit('query-response', rows, { sql, bindings: values })
  return rows
}

function statementOf(connection: Database, sql: string, isRaw: boolean): Statement {
  let known = prepared.get(connection)
  if (known === undefined) {
    known = new Map()
    prepared.set(connection, known)
  }
  let statement = known.get(sql)
  if (statement === undefined) {
    if (known.size === MAX_PREPARED) known.clear()
    statement = connection.prepare(sql)
    if (isRaw) statement.raw()
    known.set(sql, statement)
  }
  return statement
}
