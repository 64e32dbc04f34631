import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { deadlineError } from './deadline.ts'
import type { Endpoints, MysqlConnection } from './endpoints.ts'
import { endpointsOf, leaveOnFailure, reservedConnection } from './mysql.ts'
import { isUnavailable } from './transaction.ts'

/** Runs one statement on the writer's connection. */
export interface Run {
  <T>(sql: string, values?: readonly unknown[]): Promise<T>
  /** Closes the connection: it must not be reused. */
  destroy(): void
}

/**
 * The message writer's connection to MySQL. The server may still execute a statement after its connection is lost, so
 * each connection holds a named lock: `ended` checks the lock, and kills the connection that still holds it.
 */
export class WriterConnection {
  readonly #db: Knex
  /** Name of the lock that each connection holds. */
  readonly #lockNames = new WeakMap<MysqlConnection, string>()
  /** Locks of connections that were lost with a statement in flight. */
  readonly #abandoned = new Set<string>()

  constructor(db: Knex) {
    this.#db = db
  }

  /** Runs work with exclusive use of the connection. */
  async use<T>(work: (run: Run) => Promise<T>): Promise<T> {
    const pool = reservedConnection(this.#db)
    const connection = await pool.acquireConnection()
    try {
      const run = runOn(connection, this.#db)
      const name = await this.#acquireLock(connection, run)
      try {
        return await work(run)
      } catch (error) {
        if (!isServerError(error)) {
          this.#abandoned.add(name)
          run.destroy()
        }
        throw error
      }
    } finally {
      await pool.releaseConnection(connection)
    }
  }

  /** Resolves when no statement of a lost connection can have an effect any more. @throws when the server keeps one */
  async ended(run: Run) {
    for (const name of this.#abandoned) {
      for (let ms = FIRST_CHECK_PAUSE_MS; ; ms *= 2) {
        const [holder] = await run<{ id: number | null }[]>('select is_used_lock(?) as id', [name])
        if (holder?.id === null || holder === undefined) break
        if (ms > MAX_CHECK_PAUSE_MS)
          throw Object.assign(new Error('the database server does not end a lost connection'), { code: 'ETIMEDOUT' })
        await kill(run, holder.id)
        await sleep(ms)
      }
      this.#abandoned.delete(name)
    }
  }

  async #acquireLock(connection: MysqlConnection, run: Run): Promise<string> {
    const known = this.#lockNames.get(connection)
    if (known !== undefined) return known
    const name = `chatctl-writer-${randomBytes(12).toString('hex')}`
    try {
      await run('select get_lock(?, 0) as held', [name])
    } catch (error) {
      // Galera has no named locks: there, `ended` cannot wait for a lost connection.
      if (!isServerError(error) || isUnavailable(error)) throw error
    }
    this.#lockNames.set(connection, name)
    return name
  }
}

/** Pauses between checks whether a killed connection has ended, doubling from the first. */
const FIRST_CHECK_PAUSE_MS = 5
const MAX_CHECK_PAUSE_MS = 1000

/** Kills a connection on the server together with its statement. */
async function kill(run: Run, id: number) {
  try {
    await run('kill connection ?', [id])
  } catch (error) {
    // It ended in the meantime.
    if ((error as { code?: string }).code !== 'ER_NO_SUCH_THREAD') throw error
  }
}

/** True for an error that the server reported: the statement is over. After any other, its outcome is unknown. */
export const isServerError = (error: unknown) => {
  const { sqlState, fatal } = error as { sqlState?: unknown; fatal?: unknown }
  return fatal !== true && typeof sqlState === 'string' && sqlState !== ''
}

function runOn(connection: MysqlConnection, db: Knex): Run {
  const endpoints = endpointsOf(db) as Endpoints
  const timeout: number | undefined = db.client.statementTimeout
  const run = <T>(sql: string, values?: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      // Here and not in mysql2, which answers nothing on a destroyed connection.
      const timer = timeout === undefined ? undefined : setTimeout(() => fail(deadlineError(timeout)), timeout)
      const fail = (error: Error) => {
        clearTimeout(timer)
        reject(error)
        if (leaveOnFailure(endpoints, connection, error)) connection.destroy()
      }
      connection.query({ sql, values }, (error, result) => {
        if (error !== null) return fail(error)
        clearTimeout(timer)
        resolve(result)
      })
    })
  return Object.assign(run, { destroy: () => connection.destroy() })
}
