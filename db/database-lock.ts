import { chmodSync, closeSync, openSync } from 'node:fs'
import type { Endpoints } from './endpoints.ts'
import { DatabaseInUse } from './errors.ts'
import { Sqlite } from './sqlite-driver.ts'

/** Exclusive lock of a database: held by its one server, or by a command that changes the schema. */
export interface DatabaseLock {
  /** Releases the lock; idempotent. */
  release(): Promise<void>
  /** MySQL: id of the connection that holds the lock. */
  readonly connectionId?: number
}

export interface LockOptions {
  /** MySQL: seconds to wait for another holder; 2 if left out. */
  readonly wait?: number
  /** Called when the connection that holds the lock is lost, and when the lock is reacquired. */
  readonly onChange?: (isHeld: boolean) => void
  /** Called after reacquiring: resolves with whether nobody else used the database in between. */
  readonly isUnchanged?: () => Promise<boolean>
  /** Called when another process holds the lock, or has held it: the database must not be used any more. */
  readonly onLost?: (error: Error) => void
  /** MySQL: the servers of the database, of which the lock is held at the one in use. */
  readonly endpoints?: Endpoints | undefined
}

/**
 * Acquires a file lock, which the operating system releases when the process ends in any way.
 * @param path created if missing, with mode 0600: a user who can read the file could hold the lock
 * @param what name of the locked resource, for the error
 * @throws DatabaseInUse when another process holds it; system and SQLite errors unchanged
 */
export function lockFile(path: string, what: string): DatabaseLock {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const lock = new Sqlite(path, { timeout: 0 })
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    if ((error as { code?: string }).code === 'SQLITE_BUSY') throw new DatabaseInUse(what)
    throw error
  }
  return { release: async () => void lock.close() }
}
