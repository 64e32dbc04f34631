import { spawn } from 'node:child_process'
import { defineEvent } from '../../core/index.ts'
import { deleteFile, FILE_STATE, type FileRow, findFile, heldFiles, releaseFile } from '../../db/index.ts'
import { MAX_CHUNK } from './fields.ts'
import type { Parts } from './parts.ts'

/** Pause before files on hold are scanned again that the program could not judge. */
const RETRY_MS = 60_000
/** Files on hold in one read. */
const PAGE = 100

/** Exit statuses of a scan program; any other one: try again. */
const [CLEAN, INFECTED] = [0, 1]

/** A scan of a file has ended. `failed`: the program could not judge, and the scan is repeated. */
export const FileScanned = defineEvent<{ readonly file: number; readonly outcome: 'clean' | 'infected' | 'failed' }>(
  'files.scanned',
)

/** Scans files on hold with a program that reads the content from its standard input, one file at a time. */
export class Scanning {
  readonly #parts: Parts
  readonly #command: readonly string[]
  #isRunning = false
  /** Files were put on hold since the last pass began. */
  #isWanted = false

  /** @param command a program and its arguments */
  constructor(parts: Parts, command: readonly string[]) {
    this.#parts = parts
    this.#command = command
    parts.app.every(RETRY_MS, () => this.start())
  }

  /** Scans what is on hold, now or after the present pass. */
  start() {
    this.#isWanted = true
    if (this.#isRunning) return
    this.#isRunning = true
    this.#run().then(
      () => {
        this.#isRunning = false
      },
      (error: unknown) => {
        this.#isRunning = false
        this.#parts.log.warn({ err: error }, 'files cannot be scanned; they are scanned again in a minute')
      },
    )
  }

  async #run() {
    const { db, app } = this.#parts
    while (this.#isWanted && !app.signal.aborted) {
      this.#isWanted = false
      for (let after = 0; !app.signal.aborted; ) {
        const rows = await heldFiles(db, after, PAGE)
        for (const row of rows) if (!app.signal.aborted) await this.#scan(row)
        after = rows.at(-1)?.id ?? 0
        if (rows.length < PAGE) break
      }
    }
  }

  async #scan(row: FileRow) {
    const { db, log, app } = this.#parts
    const status = await this.#statusOf(row)
    if (status === CLEAN) await releaseFile(db, row.id)
    else if (status === INFECTED) {
      await deleteFile(db, row.id)
      app.audit.warn({ event: 'file_infected', file: row.id, user: row.owner_id, name: row.name, content: row.content })
    } else if (!app.signal.aborted) log.warn({ file: row.id, status }, 'the scan of a file has failed; it is repeated')
    const outcome = status === CLEAN ? 'clean' : status === INFECTED ? 'infected' : 'failed'
    app.emit(FileScanned, { file: row.id, outcome })
  }

  /** The exit status; undefined if the program could not be run, or was stopped. */
  async #statusOf(row: FileRow): Promise<number | null | undefined> {
    const { app, limits, contents, db, log } = this.#parts
    const [program = '', ...args] = this.#command
    const limit = new AbortController()
    const timer = app.clock.after(limits.fileScan, () => limit.abort())
    const signal = AbortSignal.any([app.signal, limit.signal])
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], signal, killSignal: 'SIGKILL' })
    const ended = new Promise<number | null | undefined>((resolve) => {
      child.on('close', resolve)
      child.on('error', (error) => {
        log.debug({ err: error, program }, 'the scan program has failed')
        resolve(undefined)
      })
    })
    // A program may judge before it has read everything: the pipe is broken then, and the status counts.
    let isOpen = true
    child.stdin.on('error', () => {
      isOpen = false
    })
    void ended.then(() => {
      isOpen = false
    })
    for (let at = 0; isOpen && at < row.size; ) {
      const data = await contents.read(row.content, at, MAX_CHUNK)
      if (data === undefined || data.length === 0) break
      at += data.length
      if (isOpen && !child.stdin.write(data))
        await Promise.race([ended, new Promise((resolve) => child.stdin.once('drain', resolve))])
    }
    child.stdin.end()
    const status = await ended
    timer.cancel()
    // Deleted while it was scanned: nothing to judge.
    return (await findFile(db, row.id))?.state === FILE_STATE.held ? status : undefined
  }
}
