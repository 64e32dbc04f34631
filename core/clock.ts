/** Where the server gets the time from and what wakes it up: the system's clock, or in tests one that is set by hand. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  time(): number
  /** Milliseconds that only ever grow, from an unknown beginning. */
  now(): number
  /** Calls back once after so many milliseconds. */
  after(ms: number, task: () => void): Timer
  /** Calls back again and again, until it is cancelled. */
  every(ms: number, task: () => void): Timer
}

export interface Timer {
  cancel(): void
  /** Lets the process end although this still runs. */
  unref(): this
}

export const SYSTEM_CLOCK: Clock = {
  time: () => Date.now(),
  now: () => performance.now(),
  after: (ms, task) => new SystemTimer(setTimeout(task, ms)),
  every: (ms, task) => new SystemTimer(setInterval(task, ms)),
}

class SystemTimer implements Timer {
  readonly #timer: NodeJS.Timeout

  constructor(timer: NodeJS.Timeout) {
    this.#timer = timer
  }

  cancel() {
    // Ends an interval too.
    clearTimeout(this.#timer)
  }

  unref() {
    this.#timer.unref()
    return this
  }
}
