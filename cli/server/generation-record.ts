import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { countStart, fileNumber, isDatabaseUrl, isSameService, newestMessage, type Remembered } from '../../db/index.ts'
import { explained } from '../errors/explained.ts'

/** Interval in milliseconds at which the newest message id is written down. */
const SAVE_INTERVAL_MS = 60_000

/**
 * The data folder's record of its database (`generation.json`): epoch, starts, newest message. A database that was
 * replaced by an earlier copy is detected at the next start, and gets a new generation.
 */
export class GenerationRecord {
  readonly #path: string
  readonly #db: Knex
  readonly #log: Logger
  #known: Remembered
  #timer: NodeJS.Timeout
  #writing: Promise<void> = Promise.resolve()

  private constructor(path: string, db: Knex, log: Logger, known: Remembered) {
    this.#path = path
    this.#db = db
    this.#log = log
    this.#known = known
    this.#timer = setInterval(() => this.#save(), SAVE_INTERVAL_MS).unref()
  }

  /**
   * Counts a start of the server.
   * @param isShared whether other nodes use the database
   * @throws CliError when it cannot be written down; DatabaseError as countStart does
   */
  static async begin(
    data: string,
    { db, where, log, isShared }: { db: Knex; where: string; log: Logger; isShared: boolean },
  ): Promise<GenerationRecord> {
    const path = join(data, 'generation.json')
    const before = await readMemory(path, log)
    const file = isDatabaseUrl(where) ? 0 : await fileNumber(where)
    const { wentBack, ...known } = await countStart(db, { before, file, isShared })
    if (wentBack)
      log.warn(
        { before, found: { starts: known.starts - 1, newest: known.newest, file } },
        'the database is an earlier state of itself, or another copy: it gets a new generation',
      )
    await explained(`cannot write ${path}`, () => writeMemory(path, known))
    return new GenerationRecord(path, db, log, known)
  }

  get epoch(): string {
    return this.#known.epoch
  }

  /** Whether no other process has served or restored the database since. */
  isUnchanged(): Promise<boolean> {
    return isSameService(this.#db, this.#known)
  }

  /** Saves the newest message id for the last time. */
  async end() {
    clearInterval(this.#timer)
    this.#save()
    await this.#writing
  }

  /** A failure is logged only: the consequence is that a rollback by less than a minute is not detected. */
  #save() {
    const note = async () => {
      const newest = await newestMessage(this.#db)
      if (newest === this.#known.newest) return
      this.#known = { ...this.#known, newest }
      await writeMemory(this.#path, this.#known)
    }
    this.#writing = this.#writing.then(note).catch((error) => {
      this.#log.warn({ err: error, path: this.#path }, 'the newest message id could not be saved')
    })
  }
}

async function readMemory(path: string, log: Logger): Promise<Remembered | undefined> {
  try {
    const { epoch, starts, newest, file } = JSON.parse(await readFile(path, 'utf8'))
    if ([starts, newest, file].every(Number.isSafeInteger) && typeof epoch === 'string')
      return { epoch, starts, newest, file }
    throw new SyntaxError('it does not hold epoch, starts, newest and file')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (!(error instanceof SyntaxError)) throw error
    log.warn({ path, reason: error.message }, 'it cannot be read: a rollback of the database cannot be detected')
    return undefined
  }
}

/** Atomic: written beside, then renamed. */
async function writeMemory(path: string, memory: Remembered) {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(memory)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}
