import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import { SILENT_LOG } from './silent-log.ts'

export interface OpenOptions {
  /** Milliseconds until a statement times out, to detect a hanging server; no limit if omitted. */
  readonly statementTimeout?: number
  /** SQLite: milliseconds for which a statement blocks the process while another process writes. Default 5000. */
  readonly busyTimeout?: number
  /** MySQL: the server refuses every write; the check that commits survive a crash is skipped. */
  readonly readOnly?: boolean
}

const CONNECT_MS = 5000
/** Size of the pool, without the connection reserved for the message writer. */
const MAX_CONNECTIONS = 8

/**
 * Strict mode: an oversized value is an error, not truncated. READ COMMITTED: a transaction sees commits made while it
 * waited for a lock. The lock wait timeout is 2 s instead of InnoDB's 50 s.
 */
const SESSION =
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 2, " +
  "transaction_isolation = 'READ-COMMITTED'"

interface Connection {
  readonly user: string
  readonly password: string
  readonly database: string
  readonly host?: string
  readonly port?: number
  readonly socketPath?: string
  readonly ssl?: object
}

/** The part of a mysql2 connection that is used here. */
export interface MysqlConnection {
  query(statement: string | object, done: (error: Error | null, result: never) => void): void
  destroy(): void
}

/**
 * Opens a MySQL or MariaDB database, which must exist. The pool connects on demand and replaces lost connections.
 * @param url `mysql://user:password@host:port/name`; `?socket=/path` for a Unix socket, `?ssl=true` for TLS
 * @throws DatabaseError
 */
export async function openMysql(url: string, { statementTimeout, readOnly = false }: OpenOptions): Promise<Knex> {
  const { shown, connection } = parseUrl(url)
  const db = knex({
    client: clientWith(statementTimeout),
    // Integers beyond 2^53 arrive as text instead of being rounded.
    connection: { ...connection, charset: 'utf8mb4', connectTimeout: CONNECT_MS, supportBigNumbers: true },
    log: SILENT_LOG,
    acquireConnectionTimeout: CONNECT_MS,
    pool: { min: 0, max: MAX_CONNECTIONS, afterCreate: readOnly ? prepareReadOnly : prepare },
  })
  try {
    await db.raw('select 1')
    if (!readOnly) await checkDurability(db, shown)
    return db
  } catch (error) {
    await db.destroy()
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`cannot open the database ${shown}: ${explain(error)}`, { cause: error })
  }
}

/** Connection settings of a database URL. @throws DatabaseError */
export const connectionOf = (url: string) => parseUrl(url).connection

/** A database URL without its password, for output and logs. @throws DatabaseError */
export const withoutPassword = (url: string) => parseUrl(url).shown

function parseUrl(url: string): { shown: string; connection: Connection } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const database = decodeURIComponent(parsed?.pathname.slice(1) ?? '')
  if (parsed === undefined || parsed.hostname === '' || database === '')
    throw new DatabaseError('a database URL is mysql://USER:PASSWORD@HOST:PORT/NAME')
  const { searchParams, username, password, hostname, port } = parsed
  const unknown = [...searchParams.keys()].find((name) => name !== 'socket' && name !== 'ssl')
  if (unknown !== undefined) throw new DatabaseError(`a database URL takes ?socket= and ?ssl=, not ?${unknown}=`)
  const socket = searchParams.get('socket')
  return {
    shown: `${parsed.protocol}//${username}@${hostname}${port && `:${port}`}/${database}`,
    connection: {
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database,
      ...(socket === null
        ? { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 3306) }
        : { socketPath: socket }),
      ...(searchParams.get('ssl') === 'true' && { ssl: {} }),
    },
  }
}

function prepare(connection: MysqlConnection, done: (error: Error | null, connection: unknown) => void) {
  // Before MySQL 5.7.20 and MariaDB 11.1 the variable is named tx_isolation.
  connection.query(SESSION, (error) => {
    if ((error as { code?: string } | null)?.code !== 'ER_UNKNOWN_SYSTEM_VARIABLE') return done(error, connection)
    connection.query(SESSION.replace('transaction_isolation', 'tx_isolation'), (again) => done(again, connection))
  })
}

const prepareReadOnly = (connection: MysqlConnection, done: (error: Error | null, connection: unknown) => void) =>
  prepare(connection, (error) => {
    if (error !== null) return done(error, connection)
    connection.query('set session transaction read only', (refused) => done(refused, connection))
  })

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
  options?: object
}

/** Statements that end a transaction: if one fails, the transaction may still be open on its connection. */
const TRANSACTION_END = /^(commit|rollback)\b/i

interface MysqlClient {
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
 * Knex's MySQL client with the reserved connection and a statement timeout.
 * @param timeout milliseconds until a statement fails and its connection is closed; undefined for no limit
 */
function clientWith(timeout: number | undefined): typeof Knex.Client {
  const Client: new (config: Knex.Config) => MysqlClient = createRequire(import.meta.url)(
    'knex/lib/dialects/mysql2/index.js',
  )
  return class extends Client {
    readonly statementTimeout = timeout

    override async destroy() {
      await reserved.get(this)?.destroy()
      await super.destroy()
    }

    override async _query(connection: MysqlConnection, statement: Statement) {
      if (timeout !== undefined) statement.options = { timeout, ...statement.options }
      try {
        return await super._query(connection, statement)
      } catch (error) {
        // A late reply may still arrive, or the transaction be open: the connection must not be reused.
        const isTimeout = (error as { code?: string }).code === 'PROTOCOL_SEQUENCE_TIMEOUT'
        if (isTimeout || TRANSACTION_END.test(statement.sql)) connection.destroy()
        throw error
      }
    }
  } as never
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
