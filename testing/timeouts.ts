/** How long a test waits by default, in ms of real time: only failing tests wait, so it suits a loaded machine. */
export const DEFAULT_WAIT_MS = 5000

/** Time limits in real time. They are cleared with the server, so that an ended test reports no late failure. */
export class Timeouts {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Calls `expired` after `ms` milliseconds. Returns a function that cancels it. */
  start(ms: number, expired: () => void): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      expired()
    }, ms)
    this.#timers.add(timer)
    return () => {
      clearTimeout(timer)
      this.#timers.delete(timer)
    }
  }

  clear() {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
