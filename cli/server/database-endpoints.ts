import type { Logger } from 'pino'
import { Endpoints, isDatabaseUrl } from '../../db/index.ts'

/** The servers of a database, of which one is in use. */
export class DatabaseEndpoints {
  /** Resolves with the error when every server lacks what this process has seen. */
  readonly behind: Promise<Error>
  /** Undefined for SQLite. */
  readonly endpoints: Endpoints | undefined

  /** @throws DatabaseError for a URL that is none */
  constructor(where: string, log: Logger) {
    let tell: (error: Error) => void = () => {}
    this.behind = new Promise((resolve) => {
      tell = resolve
    })
    if (!isDatabaseUrl(where)) return
    this.endpoints = new Endpoints(where, {
      onSwitch: (from, to) => log.warn({ from, to }, 'another database server is used from now on'),
      onBehind: tell,
    })
  }
}
