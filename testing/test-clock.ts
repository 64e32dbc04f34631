import { createClock } from '@sinonjs/fake-timers'
import type { Clock, Timer } from '../core/index.ts'

/**
 * A clock that stands still until the test moves it on. Only what asks the server for the time goes by it: `app.clock`
 * and `app.every` of plugins, the server's own deadlines, bots. Timers of the system are not touched.
 */
export class TestClock implements Clock {
  readonly #clock: ReturnType<typeof createClock>
  readonly #settled: () => Promise<void>

  /** @param settled resolves when what was set off has come to an end */
  constructor(start: Date, settled: () => Promise<void>) {
    this.#clock = createClock(start.getTime())
    this.#settled = settled
  }

  time(): number {
    return this.#clock.now
  }

  now(): number {
    return this.#clock.performance.now()
  }

  after(ms: number, task: () => void): Timer {
    const id = this.#clock.setTimeout(task, ms)
    return asTimer(() => this.#clock.clearTimeout(id))
  }

  every(ms: number, task: () => void): Timer {
    // As often as the system does at most; at no interval at all, no time would ever pass.
    const id = this.#clock.setInterval(task, Math.max(1, ms))
    return asTimer(() => this.#clock.clearInterval(id))
  }

  /**
   * Lets so many milliseconds pass: every timer that is due in them is called, in order, and what it sets off (messages,
   * replies, queries) has happened before the next one. What takes real time (a file, a thread, another process) is not
   * waited for.
   */
  async advance(ms: number) {
    await this.#settled()
    // An interval that was set again meanwhile comes after the mark of its moment: that is what the second round is for.
    for (let rest = ms, others = 1; others > 0; rest = 0) others = await this.#callUpTo(rest)
  }

  /** Calls the timers that are due, up to a mark of its own; returns how many there were. */
  async #callUpTo(ms: number): Promise<number> {
    let reached = false
    this.#clock.setTimeout(() => {
      reached = true
    }, ms)
    for (let others = 0; ; others++) {
      this.#clock.next()
      if (reached) return others
      await this.#settled()
    }
  }

  /** Sets the time of day, as an operator would: no timer is called, and none is due earlier or later for it. */
  setTime(time: Date | number) {
    this.#clock.setSystemTime(time)
  }
}

const asTimer = (cancel: () => void): Timer => ({
  cancel,
  unref() {
    return this
  },
})
