import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { type MysqlConnection, reservedConnection } from './mysql.ts'
import { isUnavailable } from './transaction.ts'

/** Runs one statement on the connection of a commit. */
export interface Run {
  <T>(sql: string, values?: readonly unknown[]): Promise<T>
  /** Closes the connection, for one that must not be used again. */
  destroy(): void
}

/**
 * The connection of the message writer on MySQL. The server may still be executing a statement whose connection was lost:
 * each connection holds a named lock for as long as the server keeps it, so that `ended` can tell, and end it.
 */
export class WriterConnection {
  readonly #db: Knex
  /** Names of their locks. */
  readonly #names = new WeakMap<MysqlConnection, string>()
  /** Locks of connections that were given up with a statement under way. */
  readonly #abandoned = new Set<string>()

  constructor(db: Knex) {
    this.#db = db
  }

  /** Runs work on a connection that nobody else uses meanwhile. */
  async use<T>(work: (run: Run) => Promise<T>): Promise<T> {
    const pool = reservedConnection(this.#db)
    const connection = await pool.acquireConnection()
    try {
      const run = runOn(connection, this.#db.client.statementTimeout)
      const name = await this.#nameOf(connection, run)
      try {
        return await work(run)
      } catch (error) {
        if (!isAnswer(error)) {
          this.#abandoned.add(name)
          run.destroy()
        }
        throw error
      }
    } finally {
      await pool.releaseConnection(connection)
    }
  }

  /** Resolves when no statement of a connection that was lost can have an effect any more. */
  async ended(run: Run) {
    for (const name of this.#abandoned) {
      for (let ms = FIRST_LOOK_MS; ; ms *= 2) {
        const [holder] = await run<{ id: number | null }[]>('select is_used_lock(?) as id', [name])
        if (holder?.id === null || holder === undefined) break
        if (ms > LAST_LOOK_MS) throw Object.assign(new Error('a lost connection does not end'), { code: 'ETIMEDOUT' })
        await kill(run, holder.id)
        await sleep(ms)
      }
      this.#abandoned.delete(name)
    }
  }

  async #nameOf(connection: MysqlConnection, run: Run): Promise<string> {
    const known = this.#names.get(connection)
    if (known !== undefined) return known
    const name = `chatctl-writer-${randomBytes(12).toString('hex')}`
    try {
      await run('select get_lock(?, 0) as held', [name])
    } catch (error) {
      // Galera has no such locks: what a lost connection still does can then not be waited for.
      if (!isAnswer(error) || isUnavailable(error)) throw error
    }
    this.#names.set(connection, name)
    return name
  }
}

/** Pauses between two looks whether a connection has ended. */
const FIRST_LOOK_MS = 5
const LAST_LOOK_MS = 1000

/** Ends a connection on the server, and the statement that it executes. */
async function kill(run: Run, id: number) {
  try {
    await run('kill connection ?', [id])
  } catch (error) {
    // Ended meanwhile.
    if ((error as { code?: string }).code !== 'ER_NO_SUCH_THREAD') throw error
  }
}

/** Whether the server has answered a statement: it is over then. Any other error leaves open what becomes of it. */
const isAnswer = (error: unknown) => {
  const { sqlState, fatal } = error as { sqlState?: unknown; fatal?: unknown }
  return fatal !== true && typeof sqlState === 'string' && sqlState !== ''
}

function runOn(connection: MysqlConnection, timeout: number | undefined): Run {
  const run = <T>(sql: string, values?: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      connection.query({ sql, values, timeout }, (error, result) => {
        if (error === null) resolve(result)
        else reject(error)
      })
    })
  return Object.assign(run, { destroy: () => connection.destroy() })
}
