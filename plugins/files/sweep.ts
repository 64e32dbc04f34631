import { defineEvent } from '../../core/index.ts'
import {
  type Expiry,
  expireFile,
  newestFile,
  unusedContents,
  unusedFiles,
  useFile,
  wantedParts,
} from '../../db/index.ts'
import type { Parts } from './parts.ts'

const SWEEP_MS = 3_600_000
/** Ids of files that are examined in one statement. */
const IDS_PER_READ = 2000
/** Contents that are looked up in one statement. */
const KEYS_PER_READ = 200

/** What a sweep has deleted; a dry run: would delete. */
export interface Swept {
  /** Files that no message carries any more, and uploads without progress. */
  readonly files: number
  /** Rests of uploads. */
  readonly parts: number
  /** Contents that no file has. */
  readonly contents: number
  /** Bytes of these contents. */
  readonly bytes: number
  /** Contents that no file has, and that stay for `limits.fileGrace`. */
  readonly waiting: number
}

export const FilesSwept = defineEvent<Swept>('files.swept')

/** Days that files of messages are kept; undefined: for ever. */
export interface Retention {
  readonly private?: number | undefined
  readonly group?: number | undefined
}

const DAY_MS = 86_400_000

/** Deletes what no message needs: rows stay, marked; content goes some time after its last file. */
export class Sweep {
  readonly #parts: Parts
  readonly #retention: Retention
  /** When content was first found without a file, by key. A restart begins anew: content stays longer, never shorter. */
  #unusedSince = new Map<string, number>()
  #running: Promise<unknown> = Promise.resolve()

  constructor(parts: Parts, retention: Retention) {
    this.#parts = parts
    this.#retention = retention
    const { app, log } = parts
    app.every(SWEEP_MS, () =>
      this.run({ isDryRun: false }).then(
        (swept) => app.emit(FilesSwept, swept),
        (error: unknown) => log.warn({ err: error }, 'the sweep of the files has failed; it runs again in an hour'),
      ),
    )
  }

  /** One sweep at a time. */
  run(options: { readonly isDryRun: boolean }): Promise<Swept> {
    const sweep = this.#running.then(
      () => this.#run(options),
      () => this.#run(options),
    )
    this.#running = sweep
    return sweep
  }

  async #run({ isDryRun }: { readonly isDryRun: boolean }): Promise<Swept> {
    const files = await this.#expireFiles(isDryRun)
    const parts = await this.#removeParts(isDryRun)
    return { files, parts, ...(await this.#removeContents(isDryRun)) }
  }

  async #expireFiles(isDryRun: boolean): Promise<number> {
    const { app, db, limits, uploads, partFiles, changes, attaching } = this.#parts
    const now = app.clock.time()
    for (const id of uploads.ids()) await useFile(db, id, now)
    const since = (days: number | undefined) => (days === undefined ? 0 : now - days * DAY_MS)
    const expiry: Expiry = {
      usedBefore: now - limits.fileUnattached,
      privateSince: since(this.#retention.private),
      groupSince: since(this.#retention.group),
    }
    let count = 0
    const newest = await newestFile(db)
    for (let after = 0; after < newest; after += IDS_PER_READ) {
      const unused = await unusedFiles(db, expiry, { after, upTo: after + IDS_PER_READ })
      if (isDryRun) count += unused.length
      else
        for (const { id, part } of unused)
          await changes.run(id, async () => {
            if (attaching.has(id) || !(await expireFile(db, expiry, id))) return
            count++
            await uploads.close(id)
            await partFiles.remove(part)
          })
    }
    return count
  }

  async #removeParts(isDryRun: boolean): Promise<number> {
    const { db, partFiles } = this.#parts
    // In this order: an upload has its row before its part.
    const names = await partFiles.names()
    const wanted = await wantedParts(db)
    const unwanted = [...names].filter((name) => !wanted.has(name))
    if (!isDryRun) for (const name of unwanted) await partFiles.remove(name)
    return unwanted.length
  }

  async #removeContents(isDryRun: boolean) {
    const { app, db, limits, contents } = this.#parts
    const now = app.clock.time()
    const unusedSince = new Map<string, number>()
    const removed = { contents: 0, bytes: 0, waiting: 0 }
    const settle = async (found: ReadonlyMap<string, number>) => {
      for (const key of await unusedContents(db, [...found.keys()])) {
        const since = this.#unusedSince.get(key) ?? now
        const isDue = now - since >= limits.fileGrace
        const isUnused = async () => (await unusedContents(db, [key])).length > 0
        if (isDue && (isDryRun || (await contents.delete(key, isUnused)))) {
          removed.contents++
          removed.bytes += found.get(key) ?? 0
        } else {
          unusedSince.set(key, since)
          removed.waiting++
        }
      }
    }
    let found = new Map<string, number>()
    for await (const { key, size } of contents.list()) {
      found.set(key, size)
      if (found.size < KEYS_PER_READ) continue
      await settle(found)
      found = new Map()
    }
    await settle(found)
    if (!isDryRun) this.#unusedSince = unusedSince
    return removed
  }
}
