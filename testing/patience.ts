/** Real time that a test is ready to wait. Once its server is gone nobody waits any more, and nothing is complained of. */
export class Patience {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Calls back when so many milliseconds are over. Returns the function that takes that back. */
  lasts(ms: number, over: () => void): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      over()
    }, ms)
    this.#timers.add(timer)
    return () => {
      clearTimeout(timer)
      this.#timers.delete(timer)
    }
  }

  end() {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
