import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'

/** Attempts of one piece of work, with exponential backoff. */
export const MAX_ATTEMPTS = 5
const FIRST_BACKOFF_MS = 20

/** Rolled back: deadlock, lock wait timeout, or a statement that was interrupted (KILL QUERY, max_statement_time). */
const ROLLED_BACK = /^(ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT|ER_QUERY_INTERRUPTED|ER_QUERY_TIMEOUT)$/
/** MariaDB error numbers that mysql2 has no name for: max_statement_time exceeded; connection killed. */
const STATEMENT_TIMEOUT = 1969
const CONNECTION_KILLED = 1927
/** The database server runs, but cannot write or take work now: disk full, read-only, or a limit reached. */
const UNWRITABLE =
  /^ER_(OPTION_PREVENTS_STATEMENT|READ_ONLY_MODE|CANT_EXECUTE_IN_READ_ONLY_TRANSACTION|DISK_FULL|RECORD_FILE_FULL|OUT_OF_RESOURCES|TOO_MANY_USER_CONNECTIONS|USER_LIMIT_REACHED|ERROR_DURING_COMMIT)$|^ENDPOINT_UNUSABLE$/
const CONNECTION_LOST =
  /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|ECONNREFUSED|EPIPE|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED|ER_CON_COUNT_ERROR)$/
/** Timeouts, which are not retried: callers have waited long enough. */
const TIMED_OUT = /^(PROTOCOL_SEQUENCE_TIMEOUT|ETIMEDOUT)$/
/** SQLite: the disk is full or failing, or another process holds the file. */
const SQLITE_DOWN = /^SQLITE_(FULL|BUSY|IOERR|CANTOPEN|READONLY)/

const codeOf = (error: unknown) => String((error as { code?: unknown } | undefined)?.code)
const numberOf = (error: unknown) => (error as { errno?: unknown } | undefined)?.errno

/** A server of a Galera cluster that has lost the others (mysql2's name for 1047), or one that has become read-only. */
export const isServerUnfit = (error: unknown) =>
  (codeOf(error) === 'ER_UNKNOWN_COM_ERROR' && /WSREP/.test(String((error as Error).message))) ||
  codeOf(error) === 'ER_OPTION_PREVENTS_STATEMENT'

/** The connection was lost: the outcome of the statement is unknown. */
const isConnectionLost = (error: unknown) =>
  CONNECTION_LOST.test(codeOf(error)) ||
  numberOf(error) === CONNECTION_KILLED ||
  /closed state/.test(String((error as Error | undefined)?.message))

/** The database did not answer in time. */
export const isTimeout = (error: unknown) =>
  TIMED_OUT.test(codeOf(error)) || (error as Error | undefined)?.name === 'KnexTimeoutError'

const isRolledBack = (error: unknown) => ROLLED_BACK.test(codeOf(error)) || numberOf(error) === STATEMENT_TIMEOUT

/** Transient: rolled back by the database, or the connection was lost. Retried at once. */
export const isTransient = (error: unknown) => isRolledBack(error) || isConnectionLost(error)

/** The database cannot be reached or cannot write now; the request may be retried later. */
export const isUnavailable = (error: unknown) =>
  isTransient(error) ||
  isTimeout(error) ||
  isServerUnfit(error) ||
  UNWRITABLE.test(codeOf(error)) ||
  SQLITE_DOWN.test(codeOf(error))

/** A row with this unique key exists. */
export const isDuplicate = (error: unknown) =>
  /^(SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)|ER_DUP_ENTRY)$/.test(codeOf(error))

/** MySQL names the table too. */
const PRIMARY_KEY = /for key '([^']*\.)?PRIMARY'$/

/** On MySQL and MariaDB: a row has this primary key. The number of a new message is one, its client id is not. */
export const isPrimaryDuplicate = (error: unknown) =>
  codeOf(error) === 'ER_DUP_ENTRY' && PRIMARY_KEY.test(String((error as Error).message))

/** Errors of commits, see `isInDoubt`. */
const doubtful = new WeakSet<object>()

/** Whether the transaction that failed with this error may be committed all the same: the database failed in its COMMIT. */
export const isInDoubt = (error: unknown) => typeof error === 'object' && error !== null && doubtful.has(error)

/** Waits before the next attempt; with jitter, so that two transactions that deadlocked do not meet again. */
export const backOff = (attempts: number) => sleep(FIRST_BACKOFF_MS * 2 ** attempts * (0.5 + Math.random() / 2))

/**
 * Retries work that the database rolled back, up to MAX_ATTEMPTS times with backoff.
 * @param options.repeatable true (default) if the work is idempotent: then also retried after a lost connection, when it
 *   may or may not have been committed
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  { repeatable = true }: { repeatable?: boolean } = {},
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt()
    } catch (error) {
      const isRetried = isRolledBack(error) || (repeatable && isConnectionLost(error))
      if (!isRetried || attempts === MAX_ATTEMPTS) throw error
      await backOff(attempts)
    }
  }
}

/** Runs `work` in a transaction and retries the whole transaction as `retry` does. See `isInDoubt` for a failed commit. */
export function transact<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
  options: { repeatable?: boolean } = {},
): Promise<T> {
  return retry(async () => {
    // The first error: the rollback on a broken connection fails too, with a less useful one.
    let cause: unknown
    let isDone = false
    try {
      return await db.transaction(async (trx) => {
        try {
          const result = await work(trx)
          isDone = true
          return result
        } catch (error) {
          cause = error
          throw error
        }
      })
    } catch (failure) {
      if (isDone && isUnavailable(failure) && !isRolledBack(failure)) doubtful.add(failure as object)
      throw cause ?? failure
    }
  }, options)
}
