import type { Knex } from 'knex'

/** Statements that may wait for a connection. Few: the queue is first in, first out and shared by all users. */
const MAX_QUEUED_STATEMENTS = 4

/** Connections of a database's pool. */
export function poolOf(db: Knex) {
  const { pool, config } = db.client
  return {
    used: pool.numUsed() as number,
    free: pool.numFree() as number,
    /** Statements that wait for a connection. */
    waiting: pool.numPendingAcquires() as number,
    max: config.pool.max as number,
  }
}

/** Load of a database, for the server's request queue (see DatabaseLoad in core). */
export function loadOf(db: Knex) {
  const { pool, config } = db.client
  return {
    /** Statements that can be started before MAX_QUEUED_STATEMENTS wait for a connection; negative when more wait. */
    room: (): number => config.pool.max - pool.numUsed() - pool.numPendingAcquires() + MAX_QUEUED_STATEMENTS,
    /** Calls back whenever a statement acquires a connection, fails to, or releases one. */
    onProgress(callback: () => void) {
      pool.on('acquireSuccess', callback)
      pool.on('acquireFail', callback)
      pool.on('release', callback)
    },
  }
}
