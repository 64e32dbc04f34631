import { type Clock, SYSTEM_CLOCK, type Timer } from '../../core/index.ts'

/** The system's time, but alarms of a chosen length ring only by hand. */
export class HandClock implements Clock {
  readonly #ms: number
  readonly #set = new Set<() => void>()
  /** How many of that length were ever set. */
  count = 0
  #wake = () => {}

  constructor(ms: number) {
    this.#ms = ms
  }

  time() {
    return SYSTEM_CLOCK.time()
  }

  now() {
    return SYSTEM_CLOCK.now()
  }

  after(ms: number, task: () => void): Timer {
    if (ms !== this.#ms) return SYSTEM_CLOCK.after(ms, task)
    this.count++
    this.#set.add(task)
    this.#wake()
    const timer = { cancel: () => void this.#set.delete(task), unref: () => timer }
    return timer
  }

  every(ms: number, task: () => void): Timer {
    return SYSTEM_CLOCK.every(ms, task)
  }

  /** How many of them wait. */
  get waiting(): number {
    return this.#set.size
  }

  /** Rings those that wait, or the next one that is set. */
  async ring() {
    while (this.#set.size === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    for (const task of [...this.#set]) {
      this.#set.delete(task)
      task()
    }
  }
}
