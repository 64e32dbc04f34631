/** The log of a database as one server knows it. */
export interface WriterLog {
  /** The highest number of a message that was passed on, or is about to be in this turn [D-6]. */
  readonly seen: number
  /** After a failure: a message that is found up to this number was passed on before, or is by others. */
  readonly knownUpTo: number
  /** Whether the log was not read for so long that nothing may be committed. */
  readonly isBehind: boolean
  /** Reads the log. Never rejects. */
  catchUp(): Promise<void>
  /** A message is about to be reported to its caller. */
  reported(id: number): void
}

/** The log of a database that only this server writes to: messages are passed on when they are reported. */
export class OwnLog implements WriterLog {
  readonly isBehind = false
  #seen: number

  constructor(seen: number) {
    this.#seen = seen
  }

  get seen(): number {
    return this.#seen
  }

  get knownUpTo(): number {
    return this.#seen
  }

  async catchUp() {}

  reported(id: number) {
    if (id > this.#seen) this.#seen = id
  }
}

/** Others may have changed anything since the log was read. */
export class LogTooOld extends Error {
  /** The database did not answer in time. */
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('the log of the database was not read for too long; send again')
    this.name = 'LogTooOld'
  }
}
