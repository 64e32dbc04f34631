/** The database cannot be opened or does not fit; the message says what to do. */
export class DatabaseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseError'
  }
}

/** Another server, or a command that needs the database for itself, uses it. */
export class DatabaseInUse extends DatabaseError {
  /** MySQL: the connection that holds the lock. */
  readonly holder: number | undefined

  /** @param what the database or folder, and by which connection it is held */
  constructor(what: string, holder?: number) {
    super(`another server or command uses ${what}`)
    this.name = 'DatabaseInUse'
    this.holder = holder
  }
}
