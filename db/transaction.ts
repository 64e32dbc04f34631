import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'

/** Attempts of one piece of work, with growing pauses between them. */
export const TRIES = 5
const FIRST_WAIT_MS = 20

/** Rolled back: deadlock, lock wait timeout, or a statement that was interrupted (KILL QUERY, max_statement_time). */
const UNDONE = /^(ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT|ER_QUERY_INTERRUPTED|ER_QUERY_TIMEOUT)$/
/** MariaDB's numbers that mysql2 has no name for: max_statement_time exceeded; connection killed. */
const STATEMENT_TIMEOUT = 1969
const CONNECTION_KILLED = 1927
/** The server runs, and takes no writes or no more work now: its disk is full, it is read-only, its limits are reached. */
const REFUSED =
  /^ER_(OPTION_PREVENTS_STATEMENT|READ_ONLY_MODE|CANT_EXECUTE_IN_READ_ONLY_TRANSACTION|DISK_FULL|RECORD_FILE_FULL|OUT_OF_RESOURCES|TOO_MANY_USER_CONNECTIONS|USER_LIMIT_REACHED|ERROR_DURING_COMMIT)$/
const LOST =
  /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|ECONNREFUSED|EPIPE|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED|ER_CON_COUNT_ERROR)$/
/** It took too long already: whoever waits is better told so than kept waiting five times as long. */
const SILENT = /^(PROTOCOL_SEQUENCE_TIMEOUT|ETIMEDOUT)$/
/** SQLite: the disk is full or fails, or someone else holds the file. */
const SQLITE_DOWN = /^SQLITE_(FULL|BUSY|IOERR|CANTOPEN|READONLY)/

const codeOf = (error: unknown) => String((error as { code?: unknown } | undefined)?.code)
const numberOf = (error: unknown) => (error as { errno?: unknown } | undefined)?.errno

/** The connection broke: whether what was asked for was done, nobody knows. */
export const isLost = (error: unknown) =>
  LOST.test(codeOf(error)) ||
  numberOf(error) === CONNECTION_KILLED ||
  /closed state/.test(String((error as Error | undefined)?.message))

/** The database did not answer in time. */
export const isSilent = (error: unknown) =>
  SILENT.test(codeOf(error)) || (error as Error | undefined)?.name === 'KnexTimeoutError'

const isUndone = (error: unknown) => UNDONE.test(codeOf(error)) || numberOf(error) === STATEMENT_TIMEOUT

/** Worth another try at once: rolled back for the sake of others, or the connection was lost. */
export const isPassing = (error: unknown) => isUndone(error) || isLost(error)

/** The database cannot be reached or cannot write now; what was asked for may be asked for again later. */
export const isUnavailable = (error: unknown) =>
  isLost(error) || isSilent(error) || isUndone(error) || REFUSED.test(codeOf(error)) || SQLITE_DOWN.test(codeOf(error))

/** A row with this key was there already. */
export const isDuplicate = (error: unknown) =>
  /^(SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)|ER_DUP_ENTRY)$/.test(codeOf(error))

/** The pause after so many attempts. Spread out, or two that were in each other's way would meet again. */
export const pauseAfter = (tries: number) => sleep(FIRST_WAIT_MS * 2 ** tries * (0.5 + Math.random() / 2))

/**
 * Does something again, up to five times with growing pauses, when the database undid it for the sake of another one.
 * @param options.repeatable doing it twice is the same as doing it once: then also when the connection was lost, where
 *   the commit may or may not have been made
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  { repeatable = true }: { repeatable?: boolean } = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      const again = isUndone(error) || (repeatable && isLost(error))
      if (!again || tries === TRIES) throw error
      await pauseAfter(tries)
    }
  }
}

/** Runs `work` in a transaction; again as a whole where `retrying` would. */
export function transact<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
  options: { repeatable?: boolean } = {},
): Promise<T> {
  return retrying(async () => {
    // What went wrong first: undoing it on a broken connection fails too, and says less.
    let cause: unknown
    try {
      return await db.transaction(async (trx) => {
        try {
          return await work(trx)
        } catch (error) {
          cause = error
          throw error
        }
      })
    } catch (failure) {
      throw cause ?? failure
    }
  }, options)
}
