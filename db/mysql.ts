import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { type ConnectionSettings, endpointName, withoutPassword } from './database-url.ts'
import { withDeadline } from './deadline.ts'
import { Endpoints, type MysqlConnection } from './endpoints.ts'
import { DatabaseError } from './errors.ts'
import { SILENT_LOG } from './silent-log.ts'
import { isServerUnfit, isTimeout } from './transaction.ts'

export interface OpenOptions {
  /** Milliseconds until a statement times out, to detect a hanging server; no limit if omitted. */
  readonly statementTimeout?: number
  /** SQLite: milliseconds for which a statement blocks the process while another process writes. Default 5000. */
  readonly busyTimeout?: number
  /** MySQL: the server refuses every write; the check that commits survive a crash is skipped. */
  readonly readOnly?: boolean
  /** MySQL: the servers of the URL, where several pools share the choice among them. */
  readonly endpoints?: Endpoints | undefined
}

/** Time in which a statement gets a connection. */
const ACQUIRE_MS = 5000
/** Size of the pool, without the connection reserved for the message writer. */
const MAX_CONNECTIONS = 8

/** Lock wait timeout of a session, seconds. */
export const LOCK_WAIT_S = 2

/**
 * Strict mode: an oversized value is an error, not truncated. READ COMMITTED: a transaction sees commits made while it
 * waited for a lock. The lock wait timeout is shorter than InnoDB's 50 s.
 */
const SESSION =
  `set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = ${LOCK_WAIT_S}, ` +
  "transaction_isolation = 'READ-COMMITTED'"

/**
 * Opens a MySQL or MariaDB database, which must exist. The pool connects on demand and replaces lost connections.
 * @param url `mysql://user:password@host:port/name`, also with `host:port,host:port`; `?socket=/path` for a Unix socket,
 *   `?ssl=true` for TLS
 * @throws DatabaseError
 */
export async function openMysql(url: string, options: OpenOptions): Promise<Knex> {
  const shown = withoutPassword(url)
  const endpoints = options.endpoints ?? new Endpoints(url)
  const db = knex({
    client: clientWith(endpoints, options),
    // Replaced at each connection by the settings of the server in use.
    connection: { ...endpoints.current },
    log: SILENT_LOG,
    acquireConnectionTimeout: ACQUIRE_MS,
    pool: { min: 0, max: MAX_CONNECTIONS },
  })
  try {
    await db.raw('select 1')
    if (!options.readOnly) await checkDurability(db, shown)
    return db
  } catch (error) {
    await db.destroy()
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`cannot open the database ${shown}: ${explain(error)}`, { cause: error })
  }
}

/** The server of a MySQL database that is in use. */
export const serverOf = (db: Knex): ConnectionSettings => db.client.endpoints.current

/** Its name, HOST:PORT; undefined for SQLite. */
export function endpointOf(db: Knex): string | undefined {
  const endpoints = endpointsOf(db)
  return endpoints && endpointName(endpoints.current)
}

/** The servers of a MySQL database; undefined for SQLite, and in a transaction: what it reads may be rolled back. */
export const endpointsOf = (db: Knex): Endpoints | undefined => (db.isTransaction ? undefined : db.client.endpoints)

type Ask = <T>(sql: string) => Promise<T[]>

/** Makes a new connection ready. */
async function prepare(ask: Ask, readOnly: boolean) {
  try {
    await ask(SESSION)
  } catch (error) {
    // Before MySQL 5.7.20 and MariaDB 11.1 the variable is named tx_isolation.
    if ((error as { code?: string }).code !== 'ER_UNKNOWN_SYSTEM_VARIABLE') throw error
    await ask(SESSION.replace('transaction_isolation', 'tx_isolation'))
  }
  if (readOnly) await ask('set session transaction read only')
}

/** An acknowledged message must survive a crash of the database server. @throws DatabaseError when it may not */
async function checkDurability(db: Knex, shown: string) {
  const [[row]] = await db.raw('select @@global.innodb_flush_log_at_trx_commit as flush')
  if (![1, 3].includes(row.flush))
    throw new DatabaseError(
      `${shown} may lose committed messages in a crash: innodb_flush_log_at_trx_commit is ${row.flush}, set it to 1`,
    )
}

interface Statement {
  readonly sql: string
}

/** Statements that end a transaction: if one fails, the transaction may still be open on its connection. */
const TRANSACTION_END = /^(commit|rollback)\b/i

interface MysqlClient {
  connectionSettings: object
  acquireRawConnection(): Promise<MysqlConnection>
  validateConnection(connection: MysqlConnection): boolean
  acquireConnection(): Promise<MysqlConnection>
  releaseConnection(connection: MysqlConnection): Promise<void>
  destroy(): Promise<void>
  _query(connection: MysqlConnection, statement: Statement): Promise<unknown>
}

/** Reserved pools of one connection, by the Knex client they belong to. */
const reserved = new WeakMap<object, MysqlClient>()

/**
 * MySQL: the connection reserved for the message writer, so that commits do not queue behind queries. Opened on first
 * use. @returns a pool of one connection
 */
export function reservedConnection(db: Knex): Pick<MysqlClient, 'acquireConnection' | 'releaseConnection'> {
  const { client } = db
  let pool = reserved.get(client)
  if (pool === undefined) {
    pool = new client.constructor({ ...client.config, pool: { ...client.config.pool, max: 1 } }) as MysqlClient
    reserved.set(client, pool)
  }
  return pool
}

/**
 * Knex's MySQL client with the reserved connection, a choice among servers, and a deadline of each statement, after which
 * its connection is closed.
 */
function clientWith(endpoints: Endpoints, options: OpenOptions): typeof Knex.Client {
  const { statementTimeout: timeout, readOnly = false } = options
  const Client: new (config: Knex.Config) => MysqlClient = createRequire(import.meta.url)(
    'knex/lib/dialects/mysql2/index.js',
  )
  return class extends Client {
    readonly statementTimeout = timeout
    readonly endpoints = endpoints

    override async destroy() {
      if (options.endpoints === undefined) endpoints.close()
      await reserved.get(this)?.destroy()
      await super.destroy()
    }

    /** Knex asks a server for its version, without a deadline, and needs it for nothing that is used here. */
    async checkVersion() {
      return null
    }

    override acquireRawConnection(): Promise<MysqlConnection> {
      return endpoints.connect(async (settings) => {
        // Integers beyond 2^53 arrive as text instead of being rounded.
        const how = { charset: 'utf8mb4', connectTimeout: endpoints.connectMs, supportBigNumbers: true }
        this.connectionSettings = { ...settings, ...how }
        const connection = await super.acquireRawConnection()
        try {
          const ask = asker(connection, endpoints.connectMs)
          await prepare(ask, readOnly)
          await endpoints.check(ask)
          return connection
        } catch (error) {
          connection.destroy()
          throw error
        }
      })
    }

    override validateConnection(connection: MysqlConnection): boolean {
      return super.validateConnection(connection) && endpoints.isCurrent(connection)
    }

    override async _query(connection: MysqlConnection, statement: Statement) {
      try {
        const answer = super._query(connection, statement)
        return await (timeout === undefined ? answer : withDeadline(answer, timeout, () => connection.destroy()))
      } catch (error) {
        // After COMMIT and ROLLBACK the transaction may be open: the connection must not be reused.
        if (leaveOnFailure(endpoints, connection, error) || TRANSACTION_END.test(statement.sql)) connection.destroy()
        throw error
      }
    }
  } as never
}

/** Statements of a new connection. */
const asker =
  (connection: MysqlConnection, ms: number): Ask =>
  (sql) =>
    withDeadline(
      new Promise((resolve, reject) => {
        connection.query(sql, (error, rows) => (error === null ? resolve(rows) : reject(error)))
      }),
      ms,
      () => connection.destroy(),
    )

/**
 * Has another server looked for, if a failure may be one of the server.
 * @returns whether the connection must not be reused
 */
export function leaveOnFailure(endpoints: Endpoints, connection: MysqlConnection, error: unknown): boolean {
  const mustLeave = isTimeout(error) || (endpoints.areSeveral && isServerUnfit(error))
  if (mustLeave) endpoints.doubt(connection)
  return mustLeave
}

/** Explains a connection error, with a remedy where there is one. */
export function explain(error: unknown): string {
  const { code, message } = error as { code?: string; message: string }
  switch (code) {
    case 'ECONNREFUSED':
      return 'no server answers there; is it running?'
    case 'ENOTFOUND':
      return 'there is no host of that name'
    case 'ETIMEDOUT':
      return 'the server does not answer'
    case 'ER_ACCESS_DENIED_ERROR':
      return `${message}; check user and password in the URL`
    // The login is right: a server hides databases that a user has no rights on, existing or not.
    case 'ER_DBACCESS_DENIED_ERROR':
      return `${message}; check the database's name in the URL, and that the user has rights on it: grant all on NAME.*`
    case 'ER_BAD_DB_ERROR':
      return `${message}; make it first: create database NAME`
    default:
      return message || String(code)
  }
}
