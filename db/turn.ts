/** Milliseconds of synchronous work after which a turn of the event loop is given up. */
const SLICE_MS = 5

/**
 * Divides synchronous work among the turns of the event loop. SQLite answers within the calling turn, so a chain of
 * statements would otherwise run to its end before any timer or socket is served. Work that has to wait is resumed one
 * piece a turn, first come, first served.
 */
export class TurnBudget {
  readonly #waiting: (() => void)[] = []
  /** `performance.now()` when work was first seen in this turn; undefined between turns. */
  #startedAt: number | undefined
  #resuming = false

  /** To be awaited before the next piece of work; undefined while the turn has time left. */
  rest(): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#age() < SLICE_MS) return undefined
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#resumeLater()
    })
  }

  #age(): number {
    const now = performance.now()
    if (this.#startedAt === undefined) {
      this.#startedAt = now
      setImmediate(() => {
        this.#startedAt = undefined
      })
    }
    return now - this.#startedAt
  }

  #resumeLater() {
    if (this.#resuming) return
    this.#resuming = true
    setImmediate(() => {
      this.#resuming = false
      this.#waiting.shift()?.()
      if (this.#waiting.length > 0) this.#resumeLater()
    })
  }
}
