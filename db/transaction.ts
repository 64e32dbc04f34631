import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'

const TRIES = 5
const FIRST_WAIT_MS = 20

/** The transaction was undone as a whole, because others were in its way. */
const UNDONE = /^(ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT)$/
const LOST =
  /^(PROTOCOL_CONNECTION_LOST|ECONNRESET|ECONNREFUSED|EPIPE|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED|ER_CON_COUNT_ERROR)$/
/** It took too long already: whoever waits is better told so than kept waiting five times as long. */
const SILENT = /^(PROTOCOL_SEQUENCE_TIMEOUT|ETIMEDOUT)$/
/** SQLite: the disk is full or fails, or someone else holds the file. */
const SQLITE_DOWN = /^SQLITE_(FULL|BUSY|IOERR|CANTOPEN|READONLY)/

const codeOf = (error: unknown) => String((error as { code?: unknown } | undefined)?.code)

/** The connection broke: whether what was asked for was done, nobody knows. */
export const isLost = (error: unknown) =>
  LOST.test(codeOf(error)) || /closed state/.test(String((error as Error | undefined)?.message))

const isSilent = (error: unknown) =>
  SILENT.test(codeOf(error)) || (error as Error | undefined)?.name === 'KnexTimeoutError'

/** The database cannot be reached or cannot write now; what was asked for may be asked for again later. */
export const isUnavailable = (error: unknown) =>
  isLost(error) || isSilent(error) || UNDONE.test(codeOf(error)) || SQLITE_DOWN.test(codeOf(error))

/** A row with this key was there already. */
export const isDuplicate = (error: unknown) =>
  /^(SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)|ER_DUP_ENTRY)$/.test(codeOf(error))

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
      const again = UNDONE.test(codeOf(error)) || (repeatable && isLost(error))
      if (!again || tries === TRIES) throw error
      // Spread out, or the two would meet again.
      await sleep(FIRST_WAIT_MS * 2 ** tries * (0.5 + Math.random() / 2))
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
