/** Turns of the event loop without a byte or a query after which nothing is in flight. A request takes at most three. */
const QUIET_TURNS = 5

/** Tracks activity of an in-memory server: bytes between it and its clients, queries of its database. */
export class ActivityTracker {
  #count = 0

  /** Records activity. */
  readonly touch = () => {
    this.#count++
  }

  /** Resolves when nothing is in flight any more. Threads, system timers and other processes are not tracked. */
  async settled() {
    for (let quiet = 0, count = this.#count; quiet < QUIET_TURNS; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (count === this.#count) continue
      quiet = -1
      count = this.#count
    }
  }
}
