import { type Database, Sqlite, type Statement } from '../../../db/sqlite-driver.ts'

/** Watches the statements of a connection. */
export interface StatementWatch {
  /** @throws Error in place of the statement */
  before(sql: string, values: readonly unknown[]): void
  /** The statement has run, or has failed. @throws Error in place of its result */
  after(sql: string, isReader: boolean): void
}

const watched = new WeakMap<Database, StatementWatch>()

/** Watches all statements of a connection from now on. */
export const watch = (connection: Database, by: StatementWatch) => void watched.set(connection, by)

function observed<T>(
  connection: Database,
  statement: { sql: string; isReader: boolean },
  values: unknown[],
  run: () => T,
): T {
  const by = watched.get(connection)
  if (by === undefined) return run()
  by.before(statement.sql, values)
  const result = run()
  by.after(statement.sql, statement.isReader)
  return result
}

/** Replaces the methods of the driver that run statements. */
function patch() {
  const connection = new Sqlite(':memory:')
  const prototype = Object.getPrototypeOf(connection.prepare('select 1'))
  connection.close()
  for (const method of ['run', 'get', 'all'] as const) {
    const execute = prototype[method]
    prototype[method] = function observe(this: Statement, ...values: unknown[]) {
      const statement = { sql: this.source, isReader: this.readonly }
      return observed(this.database, statement, values, () => execute.apply(this, values))
    }
  }
  const { exec } = Sqlite.prototype
  Sqlite.prototype.exec = function observe(this: Database, sql: string) {
    return observed(this, { sql, isReader: false }, [], () => exec.call(this, sql))
  }
}

patch()
