import { chmodSync, closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { DatabaseInUse } from './errors.ts'

/** Held by the one server, or the one command that changes the schema, of a database. */
export interface DatabaseLock {
  /** Lets go. Calling it again does nothing. */
  release(): Promise<void>
  /** MySQL: number of the connection that holds it. */
  readonly connectionId?: number
}

export interface LockOptions {
  /** Told when the connection that held the lock is gone, and when the lock is held again. */
  readonly onChange?: (isHeld: boolean) => void
  /** Asked before the lock is held again: whether nobody else used the database meanwhile. */
  readonly isUnchanged?: () => Promise<boolean>
  /** Told when others hold it: the database must not be used any more. */
  readonly onLost?: (error: Error) => void
}

/**
 * Takes a lock that is a file: it ends with the process, however that ends.
 * @param path of the file, made if missing with mode 0600: who may read it could hold the lock
 * @param what names what is locked in the error
 * @throws DatabaseInUse when another process holds it; errors of the system and of SQLite as they are
 */
export function lockFile(path: string, what: string): DatabaseLock {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const lock = new Database(path, { timeout: 0 })
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    if ((error as { code?: string }).code === 'SQLITE_BUSY') throw new DatabaseInUse(what)
    throw error
  }
  return { release: async () => void lock.close() }
}
