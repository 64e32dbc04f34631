import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'

/** Lines that are written at once. */
const BUFFERED_LINES = 2000

/** Everything that happened in a run, in order, as a hash; on request as a file too. */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #file: string | undefined
  #lines: string[] = []
  #count = 0

  constructor(file?: string) {
    this.#file = file
  }

  add(line: string) {
    this.#count++
    if (this.#lines.push(line) === BUFFERED_LINES) this.#flush()
  }

  get length(): number {
    return this.#count
  }

  /** The hash of all lines; ends the trace. */
  end(): string {
    this.#flush()
    return this.#hash.digest('hex').slice(0, 16)
  }

  #flush() {
    if (this.#lines.length === 0) return
    const text = `${this.#lines.join('\n')}\n`
    this.#lines = []
    this.#hash.update(text)
    if (this.#file !== undefined) appendFileSync(this.#file, text)
  }
}
