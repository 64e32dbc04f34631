/** Where the server gets the time from and what wakes it up: the system's clock, or in tests one that is set by hand. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  time(): number
  /** Monotonic time in milliseconds, from an arbitrary origin. */
  now(): number
  /** Calls `task` once, after `ms` milliseconds. */
  after(ms: number, task: () => void): Timer
  /** Calls back repeatedly, until it is cancelled. */
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
