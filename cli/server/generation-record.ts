import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { countStart, fileNumber, isDatabaseUrl, isSameService, newestMessage, type Remembered } from '../../db/index.ts'
import { explained } from '../errors/explained.ts'

/** How often the data folder notes how far the database has come, in milliseconds. */
const NOTE_MS = 60_000

/**
 * What the data folder remembers of its database. A database that was replaced by an earlier state of itself, by
 * whatever means, is noticed at the next start, and gets a new generation.
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
    this.#timer = setInterval(() => this.#note(), NOTE_MS).unref()
  }

  /** Counts a start of the server. @throws CliError when it cannot be written down */
  static async begin(
    data: string,
    { db, where, log }: { db: Knex; where: string; log: Logger },
  ): Promise<GenerationRecord> {
    const path = join(data, 'generation.json')
    const before = await readMemory(path, log)
    const file = isDatabaseUrl(where) ? 0 : await fileNumber(where)
    const { wentBack, ...known } = await countStart(db, { before, file })
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

  /** Whether nobody else has served or restored the database since. */
  isUnchanged(): Promise<boolean> {
    return isSameService(this.#db, this.#known)
  }

  /** Notes how far the database has come, for the last time. */
  async end() {
    clearInterval(this.#timer)
    this.#note()
    await this.#writing
  }

  /** A failure costs only that a database that goes back by less than a minute is not noticed. */
  #note() {
    const note = async () => {
      const newest = await newestMessage(this.#db)
      if (newest === this.#known.newest) return
      this.#known = { ...this.#known, newest }
      await writeMemory(this.#path, this.#known)
    }
    this.#writing = this.#writing.then(note).catch((error) => {
      this.#log.warn({ err: error, path: this.#path }, 'how far the database has come could not be noted')
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
    log.warn({ path, reason: error.message }, 'it cannot be read; whether the database went back is not known')
    return undefined
  }
}

/** Whole or not at all. */
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
