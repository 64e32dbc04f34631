/** The database cannot be opened or has an unusable state; the message names the remedy. */
export class DatabaseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseError'
  }
}

/** Another server, or a command that needs exclusive access, holds the database lock. */
export class DatabaseInUse extends DatabaseError {
  /** MySQL: id of the connection that holds the lock. */
  readonly holder: number | undefined

  /** @param what the database or folder, with the connection that holds its lock where known */
  constructor(what: string, holder?: number) {
    super(`another server or command uses ${what}`)
    this.name = 'DatabaseInUse'
    this.holder = holder
  }
}
