/** Turns of the event loop without a byte or a query after which nothing is under way. A request takes three at most. */
const QUIET_TURNS = 5

/** Whether anything moves in a server that is all in memory: bytes between it and its clients, queries of its database. */
export class Stir {
  #count = 0

  /** Something moved. */
  readonly seen = () => {
    this.#count++
  }

  /** Resolves when nothing moves any more. It cannot see what threads, timers of the system and other processes do. */
  async settled() {
    for (let quiet = 0, count = this.#count; quiet < QUIET_TURNS; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (count === this.#count) continue
      quiet = -1
      count = this.#count
    }
  }
}
