import { byteSize } from '../../plugins/messages/file-caption.ts'
import { printableLine } from './printable.ts'

const WIDTH = 30
/** Shortest time between two drawings, in milliseconds. */
const DRAW_INTERVAL_MS = 100

/**
 * A progress bar on stderr. Without a terminal, one line at the start of each step.
 */
export class ProgressBar {
  readonly #isTerminal = process.stderr.isTTY === true
  readonly #unit: 'rows' | '%' | 'bytes'
  #step = ''
  #drawn = 0

  /** @param unit what is counted; with `%`, `done` and `total` are a share of the step and 100 */
  constructor(unit: 'rows' | '%' | 'bytes' = 'rows') {
    this.#unit = unit
  }

  /** @param total 0 where it is not known */
  update(step: string, done: number, total: number) {
    const isNew = step !== this.#step
    if (this.#isTerminal) {
      if (isNew) this.end()
      if (!isNew && done < total && performance.now() - this.#drawn < DRAW_INTERVAL_MS) return
      this.#drawn = performance.now()
      process.stderr.write(`\r\x1b[K${bar(done, total)} ${printableLine(step)} ${this.#far(done, total)}`)
    } else if (isNew) {
      process.stderr.write(this.#unit === '%' ? `${step}\n` : `${step}: ${count(total)} rows, from ${count(done)}\n`)
    }
    this.#step = step
  }

  #far(done: number, total: number): string {
    if (this.#unit === '%') return `${Math.round(done)} %`
    const show = this.#unit === 'bytes' ? byteSize : count
    return `${show(done)} of ${show(total)}`
  }

  /** Ends the line, with the last state left on it. */
  end() {
    if (this.#isTerminal && this.#step !== '') process.stderr.write('\n')
    this.#step = ''
  }
}

const count = (value: number) => value.toLocaleString('en')

function bar(done: number, total: number): string {
  const full = total === 0 ? WIDTH : Math.min(WIDTH, Math.round((WIDTH * done) / total))
  return `[${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}]`
}
