import { createHash } from 'node:crypto'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { DatabaseError, DatabaseInUse } from './errors.ts'
import type { DatabaseLock, LockOptions } from './lock.ts'
import { connectionOf, explain, withoutPassword } from './mysql.ts'

const CONNECT_MS = 5000
const PING_MS = 10_000
const PING_TIMEOUT_MS = 5000
const RETRY_MS = 1000
/** After which the server ends a connection that has sent nothing: that of a frozen process, or of a lost machine. */
const IDLE_S = 60
/** The server needs a moment to notice that a killed process has gone. */
const WAIT_S = 2

/**
 * Takes the lock of a MySQL database: `GET_LOCK` on a connection of its own, so it ends with the process, however that
 * ends, and a frozen one loses it after a minute.
 * @throws DatabaseInUse when another one holds it
 */
export const lockMysql = (url: string, options: LockOptions = {}): Promise<DatabaseLock> => MysqlLock.take(url, options)

/**
 * `GET_LOCK` on a connection of its own. When the connection is lost, it is made again and the lock taken again; when
 * another one holds the lock by then, `onLost` is told.
 */
class MysqlLock implements DatabaseLock {
  readonly #url: string
  readonly #options: LockOptions
  #connection: Connection | undefined
  #id = 0
  /** Connections that were ever made here: the server may take a while to notice that one is gone. */
  readonly #own = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #isReleased = false

  private constructor(url: string, options: LockOptions) {
    this.#url = url
    this.#options = options
  }

  /** @throws DatabaseInUse, DatabaseError */
  static async take(url: string, options: LockOptions): Promise<MysqlLock> {
    const lock = new MysqlLock(url, options)
    try {
      lock.#hold(await lock.#acquire(WAIT_S))
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
    // The lock ends with the connection; one that broke has none to end.
    await this.#connection?.end().catch(() => this.#connection?.destroy())
  }

  async #acquire(wait: number): Promise<Connection> {
    const settings = connectionOf(this.#url)
    const connection = await createConnection({ ...settings, connectTimeout: CONNECT_MS })
    // An error on an idle connection comes as an event; `end` follows it.
    connection.on('error', () => {})
    this.#own.add(connection.threadId)
    try {
      const ask = async (sql: string, ...values: (string | number)[]) => {
        const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: wait * 1000 + PING_TIMEOUT_MS }, values)
        return rows[0]
      }
      await connection.query('set session wait_timeout = ?', [IDLE_S])
      const name = lockName(settings.database)
      const taken = await ask('select get_lock(?, ?) as taken', name, wait)
      if (taken?.taken === 1) return connection
      const holder = (await ask('select is_used_lock(?) as id', name))?.id ?? undefined
      const place = await ask('select host from information_schema.processlist where id = ?', holder ?? 0)
      const by = holder === undefined ? '' : `, through connection ${holder}${place ? ` from ${place.host}` : ''}`
      throw new DatabaseInUse(`the database ${withoutPassword(this.#url)}${by}`, holder)
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
      this.#later(RETRY_MS, () => void this.#retake())
    }
    connection.on('end', lost)
    const ping = () => {
      connection.query({ sql: 'do 1', timeout: PING_TIMEOUT_MS }).then(() => this.#later(PING_MS, ping), lost)
    }
    this.#later(PING_MS, ping)
  }

  /** Must not keep a process alive by itself. */
  #later(ms: number, act: () => void) {
    if (this.#isReleased) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(act, ms).unref()
  }

  async #retake() {
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
      if (holder !== undefined && !this.#own.has(holder)) this.#options.onLost?.(error as Error)
      else this.#later(RETRY_MS, () => void this.#retake())
    }
  }
}

/** Name of a lock in a MySQL server, which has one space of names for all its databases: 64 characters at most. */
function lockName(database: string): string {
  const name = `chatctl/${database}`
  return name.length <= 64 ? name : `chatctl/${createHash('sha256').update(database).digest('hex').slice(0, 56)}`
}
