import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import { SILENT } from './silent.ts'

export interface OpenOptions {
  /** Milliseconds after which a statement without an answer is given up, so that a hanging server is noticed. */
  readonly statementTimeout?: number
  /**
   * SQLite: milliseconds for which a statement waits, and the whole process with it, while another process writes;
   * 5000 if left out.
   */
  readonly busyTimeout?: number
  /** MySQL: the server itself refuses every write, and need not promise that commits survive a crash. */
  readonly readOnly?: boolean
}

const CONNECT_MS = 5000
/** Connections at most, besides the one of the message writer. */
const POOL = 8

/**
 * Strict: a value that does not fit is an error, never cut. READ COMMITTED: a transaction sees what others committed
 * while it waited for a lock. A lock is waited for a few seconds, not InnoDB's fifty.
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

/** A connection of mysql2, as far as it is used here. */
export interface MysqlConnection {
  query(statement: string | object, done: (error: Error | null, result: never) => void): void
  destroy(): void
}

/**
 * Opens a MySQL or MariaDB database, which must exist. Connections are made when needed and made again when lost.
 * @param url `mysql://user:password@host:port/name`; `?socket=/path` for a Unix socket, `?ssl=true` to ask for TLS
 * @throws DatabaseError
 */
export async function openMysql(url: string, { statementTimeout, readOnly = false }: OpenOptions): Promise<Knex> {
  const { shown, connection } = parseUrl(url)
  const db = knex({
    client: clientWith(statementTimeout),
    // Numbers beyond 2^53 come as text rather than rounded.
    connection: { ...connection, charset: 'utf8mb4', connectTimeout: CONNECT_MS, supportBigNumbers: true },
    log: SILENT,
    acquireConnectionTimeout: CONNECT_MS,
    pool: { min: 0, max: POOL, afterCreate: readOnly ? prepareReadOnly : prepare },
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

/** What the parts of a URL mean to a program that connects. @throws DatabaseError */
export const connectionOf = (url: string) => parseUrl(url).connection

/** A URL without its password, for people and logs. */
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
  // Servers before MySQL 5.7.20 and MariaDB 11.1 call it tx_isolation.
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

/** An acknowledged message must survive a crash of the database server. */
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

/** The end of a transaction: while it has not succeeded, what comes next on the connection may still be part of it. */
const END = /^(commit|rollback)\b/i

interface MysqlClient {
  acquireConnection(): Promise<MysqlConnection>
  releaseConnection(connection: MysqlConnection): Promise<void>
  destroy(): Promise<void>
  _query(connection: MysqlConnection, statement: Statement): Promise<unknown>
}

/** Pools of one connection each, by the client that they belong to. */
const reserved = new WeakMap<object, MysqlClient>()

/**
 * A connection that nothing else uses, so that storing messages does not wait behind the queries of users; made at the
 * first use. SQLite has one connection only, which everything shares.
 */
export function reservedConnection(db: Knex): Pick<MysqlClient, 'acquireConnection' | 'releaseConnection'> {
  const { client } = db
  let own = reserved.get(client)
  if (own === undefined) {
    own = new client.constructor({ ...client.config, pool: { ...client.config.pool, max: 1 } }) as MysqlClient
    reserved.set(client, own)
  }
  return own
}

/**
 * Knex's MySQL client, which closes the reserved connection with the others.
 * @param timeout milliseconds after which a statement is given up, and the connection with it; never if undefined
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
        // An answer may still come, or the transaction be open: nobody else must get this connection.
        const isUnclear = (error as { code?: string }).code === 'PROTOCOL_SEQUENCE_TIMEOUT' || END.test(statement.sql)
        if (isUnclear) connection.destroy()
        throw error
      }
    }
  } as never
}

/** What an error of connecting means. */
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
    case 'ER_DBACCESS_DENIED_ERROR':
      return `${message}; check user and password in the URL`
    case 'ER_BAD_DB_ERROR':
      return `${message}; make it first: create database NAME`
    default:
      return message || String(code)
  }
}
