import type { Knex } from 'knex'
import { isMysql } from '../../../db/migrations/tables.ts'
import { reservedConnection } from '../../../db/mysql.ts'

/**
 * `before`: the statement is not executed. `after`: it is, and its reply is lost. `outage`: it and all later ones are not
 * executed.
 */
export type Mode = 'before' | 'after' | 'outage'

export interface Fault {
  /** Index of the failing statement, counted from `arm`. */
  readonly at: number
  readonly mode: Mode
  readonly code: string
  /** Counts only matching statements. */
  readonly of?: RegExp
}

/** Error codes by kind of database, and whether the connection is lost too. */
const MYSQL = {
  PROTOCOL_CONNECTION_LOST: true,
  PROTOCOL_SEQUENCE_TIMEOUT: true,
  ER_LOCK_DEADLOCK: false,
  ER_LOCK_WAIT_TIMEOUT: false,
  ER_QUERY_INTERRUPTED: false,
  ER_OPTION_PREVENTS_STATEMENT: false,
  ER_CON_COUNT_ERROR: true,
  ER_DISK_FULL: false,
} as const
const SQLITE = ['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_IOERR_FSYNC', 'SQLITE_READONLY']

/** Errors of COMMIT after which the transaction is rolled back. */
const ROLLED_BACK = ['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_QUERY_INTERRUPTED']

interface Statement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown
}

interface SqliteConnection {
  prepare(sql: string): Statement
}

type Done = (error: Error | null, ...rest: unknown[]) => void

interface MysqlConnection {
  query(...given: [...unknown[], Done]): unknown
  destroy(): void
}

/** Injects failures into the statements of Knex and of the message writer, which prepares its own. */
export class Faults {
  readonly codes: readonly string[]
  #fault: Fault | undefined
  #count = 0
  #fire: () => void = () => {}
  /** Number of failed statements. */
  struck = 0
  #fired: Promise<void> = Promise.resolve()
  readonly #patched = new WeakSet<object>()

  constructor(db: Knex) {
    this.codes = isMysql(db) ? Object.keys(MYSQL) : SQLITE
    if (isMysql(db)) {
      const patch = (connection: object) => this.#patchMysql(connection as MysqlConnection)
      this.#watch(db.client, patch)
      this.#watch(reservedConnection(db), patch)
    } else this.#watch(db.client, (connection) => this.#patchSqlite(connection as SqliteConnection))
  }

  /** Restarts the count of statements, and makes one fail. */
  arm(fault?: Fault) {
    this.#count = 0
    this.#fault = fault
    this.#fired = new Promise((resolve) => {
      this.#fire = resolve
    })
  }

  /** Stops failing. Returns the number of statements since `arm`. */
  heal(): number {
    this.#fault = undefined
    return this.#count
  }

  /** Resolves when the fault has occurred. */
  get fired(): Promise<void> {
    return this.#fired
  }

  #watch(pool: { acquireConnection(): Promise<unknown> }, patch: (connection: object) => void) {
    const acquire = pool.acquireConnection.bind(pool)
    pool.acquireConnection = async () => {
      const connection = (await acquire()) as object
      if (!this.#patched.has(connection)) {
        this.#patched.add(connection)
        patch(connection)
      }
      return connection
    }
  }

  /** The fault of the next statement; undefined if it succeeds. */
  #next(sql: string): Fault | undefined {
    const fault = this.#fault
    if (fault?.of?.test(sql) === false) return undefined
    const number = this.#count++
    if (fault === undefined || number < fault.at || (number > fault.at && fault.mode !== 'outage')) return undefined
    this.struck++
    this.#fire()
    return fault
  }

  #patchSqlite(connection: SqliteConnection) {
    const prepare = connection.prepare.bind(connection)
    connection.prepare = (sql) => {
      const statement = prepare(sql)
      for (const method of ['run', 'get', 'all'] as const) {
        const execute = statement[method].bind(statement)
        statement[method] = (...values: unknown[]) => {
          const fault = this.#next(sql)
          if (fault?.mode !== 'after' && fault !== undefined) throw failure(fault.code)
          const result = execute(...values)
          if (fault !== undefined) throw failure(fault.code)
          return result
        }
      }
      return statement
    }
  }

  #patchMysql(connection: MysqlConnection) {
    const query = connection.query.bind(connection)
    connection.query = (...given) => {
      const done = given.at(-1) as Done
      const [statement] = given as (string | { sql: string })[]
      const sql = typeof statement === 'object' ? statement.sql : String(statement)
      const fault = this.#next(sql)
      if (fault === undefined) return query(...given)
      const fail = () => {
        if (MYSQL[fault.code as keyof typeof MYSQL]) connection.destroy()
        done(failure(fault.code))
      }
      // After these errors a real server has rolled back.
      if (/^commit/i.test(sql) && ROLLED_BACK.includes(fault.code)) return query('rollback', fail)
      if (fault.mode === 'after') return query(...(given.slice(0, -1) as unknown[]), fail)
      setImmediate(fail)
      return undefined
    }
  }
}

function failure(code: string): Error {
  const isAnswer = code.startsWith('ER_') && !MYSQL[code as keyof typeof MYSQL]
  return Object.assign(new Error(`injected: ${code}`), { code, ...(isAnswer && { sqlState: 'HY000' }) })
}
