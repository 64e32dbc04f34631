import type { Logger } from 'pino'
import { type DatabaseLock, type Endpoints, isDatabaseUrl, type LockOptions, lockMysql } from '../../db/index.ts'
import { lockDatabase } from './database.ts'

/** Seconds for which a node waits for another one that is joining. */
const JOIN_WAIT_S = 10

/** A server's right to use its database: for itself alone, or while it joins the other nodes of a cluster. */
export class DatabaseClaim {
  /** Resolves with the error when others have taken the database, after its connection was lost. */
  readonly lost: Promise<Error>
  /** Checked before a lost lock is taken again: whether no other server has used the database meanwhile. */
  isUnchanged: () => Promise<boolean> = async () => true
  #lock: DatabaseLock | undefined
  #lose: (error: Error) => void = () => {}

  private constructor() {
    this.lost = new Promise((resolve) => {
      this.#lose = resolve
    })
  }

  /** Until `release` no other server and no node may use the database. @throws DatabaseInUse, DatabaseError */
  static async alone(
    data: string,
    where: string,
    { log, endpoints }: { readonly log: Logger; readonly endpoints: Endpoints | undefined },
  ): Promise<DatabaseClaim> {
    const claim = new DatabaseClaim()
    claim.#lock = await lockDatabase(data, where, { ...claim.#options(log), endpoints })
    return claim
  }

  /** Until `release` no other node joins. Nodes on a SQLite file, in tests, join one after the other. */
  static async joining(where: string, endpoints: Endpoints | undefined): Promise<DatabaseClaim> {
    const claim = new DatabaseClaim()
    if (isDatabaseUrl(where)) claim.#lock = await lockMysql(where, { wait: JOIN_WAIT_S, endpoints })
    return claim
  }

  async release() {
    await this.#lock?.release()
  }

  #options(log: Logger): LockOptions {
    return {
      isUnchanged: () => this.isUnchanged(),
      onChange: (isHeld) =>
        isHeld
          ? log.info('the lock of the database is held again')
          : log.warn('the connection that holds the lock of the database was lost; trying to take it again'),
      onLost: this.#lose,
    }
  }
}
