import type { Knex } from 'knex'

/** Statements that may wait for a connection: few, since each makes all later ones wait, whoever asked for them. */
const MAX_WAITING = 4

/** How busy a database is, for the server's request queue (see DatabaseLoad in core). */
export function loadOf(db: Knex) {
  const { pool, config } = db.client
  return {
    /** Statements that can be asked for before more than a few wait for a connection. Negative when more wait. */
    room: (): number => config.pool.max - pool.numUsed() - pool.numPendingAcquires() + MAX_WAITING,
    /** Calls back whenever a statement has been given its connection, or has waited for one in vain. */
    onProgress(callback: () => void) {
      pool.on('acquireSuccess', callback)
      pool.on('acquireFail', callback)
      pool.on('release', callback)
    },
  }
}
