import type { Clock } from '../../core/index.ts'
import type { FileRow } from '../../db/index.ts'
import type { Part, PartFiles } from './part-files.ts'

/** Time without a chunk after which the file of an upload is closed; the upload can be resumed. */
const IDLE_MS = 300_000

/** An upload that can take chunks. */
export interface OpenUpload {
  readonly row: FileRow
  readonly part: Part
  /** Monotonic time of the last use. */
  usedAt: number
}

/** Uploads whose files are open. All work on one upload is serial: the caller has a queue for it. */
export class OpenUploads {
  readonly #parts: PartFiles
  readonly #clock: Clock
  readonly #open = new Map<number, OpenUpload>()

  constructor(parts: PartFiles, clock: Clock) {
    this.#parts = parts
    this.#clock = clock
  }

  async open(row: FileRow): Promise<OpenUpload> {
    const found = this.find(row.id)
    if (found !== undefined) return found
    const upload = { row, part: await this.#parts.open(row.part), usedAt: this.#clock.now() }
    this.#open.set(row.id, upload)
    return upload
  }

  find(id: number): OpenUpload | undefined {
    const upload = this.#open.get(id)
    if (upload !== undefined) upload.usedAt = this.#clock.now()
    return upload
  }

  async close(id: number) {
    const upload = this.#open.get(id)
    this.#open.delete(id)
    await upload?.part.close()
  }

  ids(): number[] {
    return [...this.#open.keys()]
  }

  /** Ids of uploads that nobody has used for some time. */
  idle(): number[] {
    const since = this.#clock.now() - IDLE_MS
    return [...this.#open].flatMap(([id, { usedAt }]) => (usedAt <= since ? [id] : []))
  }

  async closeAll() {
    for (const id of [...this.#open.keys()]) await this.close(id)
  }
}
