import { createHash } from 'node:crypto'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { DatabaseLock, LockOptions } from './database-lock.ts'
import { type ConnectionSettings, withoutPassword } from './database-url.ts'
import { withDeadline } from './deadline.ts'
import { Endpoints } from './endpoints.ts'
import { DatabaseError, DatabaseInUse } from './errors.ts'
import { explain } from './mysql.ts'

const PING_MS = 10_000
const PING_TIMEOUT_MS = 5000
const RETRY_MS = 1000
/** Idle time after which the server closes the connection of a frozen process or a lost machine. */
const IDLE_TIMEOUT_S = 60
/** The server takes a moment to notice that a killed process has gone. */
const LOCK_WAIT_S = 2

/**
 * Acquires the lock of a MySQL database: `GET_LOCK` on a dedicated connection. The server releases it when the process
 * ends in any way, and IDLE_TIMEOUT_S after it freezes.
 * @throws DatabaseInUse when another process holds it; DatabaseError when the database cannot be reached
 */
export const lockMysql = (url: string, options: LockOptions = {}): Promise<DatabaseLock> => MysqlLock.take(url, options)

/** Pings the connection; when it is lost, or another server is in use, reconnects and reacquires the lock, or calls `onLost` if another holds it. */
class MysqlLock implements DatabaseLock {
  readonly #url: string
  readonly #options: LockOptions
  readonly #endpoints: Endpoints
  #connection: Connection | undefined
  #id = 0
  /** Ids of all connections made here. The server may take a while to notice that one of them is lost. */
  readonly #ownConnections = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #isReleased = false

  private constructor(url: string, options: LockOptions) {
    this.#url = url
    this.#options = options
    this.#endpoints = options.endpoints ?? new Endpoints(url)
  }

  /** @throws DatabaseInUse, DatabaseError */
  static async take(url: string, options: LockOptions): Promise<MysqlLock> {
    const lock = new MysqlLock(url, options)
    try {
      lock.#hold(await lock.#acquire(options.wait ?? LOCK_WAIT_S))
    } catch (error) {
      if (error instanceof DatabaseError) throw error
      throw new DatabaseError(`cannot open the database ${withoutPassword(url)}: ${explain(error)}`, { cause: error })
    }
    return lock
  }

  get connectionId(): number {
    return this.#id
  }

  async release() {
    if (this.#isReleased) return
    this.#isReleased = true
    clearTimeout(this.#timer)
    if (this.#options.endpoints === undefined) this.#endpoints.close()
    // Closing the connection releases the lock; a broken connection holds none.
    await this.#connection?.end().catch(() => this.#connection?.destroy())
  }

  async #acquire(waitS: number): Promise<Connection> {
    const connection = await this.#endpoints.connect((settings) => this.#open(settings))
    this.#ownConnections.add(connection.threadId)
    try {
      const selectOne = async (sql: string, ...values: (string | number)[]) => {
        const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: waitS * 1000 + PING_TIMEOUT_MS }, values)
        return rows[0]
      }
      await connection.query('set session wait_timeout = ?', [IDLE_TIMEOUT_S])
      const name = lockName(this.#endpoints.current.database)
      const taken = await selectOne('select get_lock(?, ?) as taken', name, waitS)
      if (taken?.taken === 1) return connection
      const holder = (await selectOne('select is_used_lock(?) as id', name))?.id ?? undefined
      const place = await selectOne('select host from information_schema.processlist where id = ?', holder ?? 0)
      const by = holder === undefined ? '' : `, through connection ${holder}${place ? ` from ${place.host}` : ''}`
      throw new DatabaseInUse(`the database ${withoutPassword(this.#url)}${by}`, holder)
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  async #open(settings: ConnectionSettings): Promise<Connection> {
    const { connectMs } = this.#endpoints
    const connection = await createConnection({ ...settings, connectTimeout: connectMs })
    // An idle connection reports an error as an event, always followed by `end`, which is handled.
    connection.on('error', () => {})
    const checked = this.#endpoints.check(async (sql) => (await connection.query(sql))[0] as never)
    try {
      await withDeadline(checked, connectMs, () => connection.destroy())
      return connection
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  #hold(connection: Connection) {
    this.#connection = connection
    this.#id = connection.threadId
    const lost = () => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      clearTimeout(this.#timer)
      connection.destroy()
      if (this.#isReleased) return
      this.#options.onChange?.(false)
      this.#schedule(RETRY_MS, () => void this.#reacquire())
    }
    connection.on('end', lost)
    const ping = () => {
      // The lock is held where the pool writes.
      if (!this.#endpoints.isCurrent(connection)) return lost()
      connection.query({ sql: 'do 1', timeout: PING_TIMEOUT_MS }).then(() => this.#schedule(PING_MS, ping), lost)
    }
    this.#schedule(PING_MS, ping)
  }

  /** The timer alone does not keep the process alive. */
  #schedule(ms: number, act: () => void) {
    if (this.#isReleased) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(act, ms).unref()
  }

  async #reacquire() {
    let connection: Connection | undefined
    try {
      connection = await this.#acquire(0)
      const isUnchanged = (await this.#options.isUnchanged?.()) ?? true
      if (this.#isReleased) return connection.destroy()
      this.#hold(connection)
      if (isUnchanged) this.#options.onChange?.(true)
      else this.#options.onLost?.(new DatabaseError('the database was used by others while the connection was lost'))
    } catch (error) {
      connection?.destroy()
      const holder = error instanceof DatabaseInUse ? error.holder : undefined
      if (holder !== undefined && !this.#ownConnections.has(holder)) this.#options.onLost?.(error as Error)
      else this.#schedule(RETRY_MS, () => void this.#reacquire())
    }
  }
}

/** Lock name, which is global to the MySQL server and at most 64 characters long. */
function lockName(database: string): string {
  const name = `chatctl/${database}`
  return name.length <= 64 ? name : `chatctl/${createHash('sha256').update(database).digest('hex').slice(0, 56)}`
}
