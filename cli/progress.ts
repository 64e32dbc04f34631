const WIDTH = 30
/** Between two drawings, in milliseconds: a terminal need not see more. */
const INTERVAL = 100

/**
 * A progress bar on stderr. Where that is no terminal, a line when a step begins, so that a log says how far it came.
 */
export class ProgressBar {
  readonly #isTerminal = process.stderr.isTTY === true
  #step = ''
  #drawn = 0

  /** @param total 0 where it is not known */
  update(step: string, done: number, total: number) {
    const isNew = step !== this.#step
    if (this.#isTerminal) {
      if (isNew) this.end()
      if (!isNew && done < total && performance.now() - this.#drawn < INTERVAL) return
      this.#drawn = performance.now()
      process.stderr.write(`\r\x1b[K${bar(done, total)} ${step} ${count(done)} of ${count(total)}`)
    } else if (isNew) process.stderr.write(`${step}: ${count(total)} rows, from ${count(done)}\n`)
    this.#step = step
  }

  /** Leaves the last state standing and goes to the next line. */
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
