/** Synchronous work per turn of the event loop before yielding. */
const SLICE_MS = 5

/**
 * Spreads synchronous work over turns of the event loop. SQLite answers within the calling turn, so a chain of statements
 * would otherwise starve timers and sockets. Deferred work resumes in FIFO order, one piece per turn.
 */
export class TurnBudget {
  readonly #waiting: (() => void)[] = []
  /** `performance.now()` of the first work in this turn; undefined between turns. */
  #startedAt: number | undefined
  #resuming = false

  /** Awaited before each piece of work; undefined while the turn has time left. */
  yieldIfSpent(): Promise<void> | undefined {
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
