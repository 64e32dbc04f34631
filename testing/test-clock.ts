import { createClock } from '@sinonjs/fake-timers'
import type { Clock, Timer } from '../core/index.ts'

/** Timers of one length. */
export interface TimerCount {
  /** Set so far. */
  set: number
  /** Neither called nor cancelled yet. */
  pending: number
}

const START = new Date('2030-01-01T00:00:00Z')

/**
 * A clock that stands still until the test moves it. It drives what takes its time from the server: `app.clock` and
 * `app.every` of plugins, the server's own deadlines, bots. System timers are not affected.
 */
export class TestClock implements Clock {
  readonly #clock: ReturnType<typeof createClock>
  readonly #settled: () => Promise<void>
  readonly #counts = new Map<number, TimerCount>()

  /** @param settled resolves when all work that a timer has started is done */
  constructor(start: Date = START, settled: () => Promise<void> = async () => {}) {
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
    const count = this.#count(ms)
    count.set++
    count.pending++
    let isPending = true
    const settle = () => {
      if (isPending) count.pending--
      isPending = false
    }
    const id = this.#clock.setTimeout(() => {
      settle()
      task()
    }, ms)
    return asTimer(() => {
      settle()
      this.#clock.clearTimeout(id)
    })
  }

  every(ms: number, task: () => void): Timer {
    // At least 1 ms, as with system timers: with an interval of 0, time would never pass.
    const id = this.#clock.setInterval(task, Math.max(1, ms))
    return asTimer(() => this.#clock.clearInterval(id))
  }

  /**
   * Advances the clock by `ms` milliseconds: calls every timer that is due, in order, and waits after each until the
   * work it starts (messages, replies, queries) is done. Work in real time (files, threads, other processes) is not
   * waited for.
   */
  async advance(ms: number) {
    await this.#settled()
    // An interval set again meanwhile comes after the marker of its moment: hence further rounds.
    for (let rest = ms, others = 1; others > 0; rest = 0) others = await this.#callUpTo(rest)
  }

  /** Calls the timers that are due before a marker; returns their number. */
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

  /**
   * Moves the clock on at once, as after a suspension of the machine: each timer that is due is called once, late, and
   * nothing is waited for.
   */
  jump(ms: number) {
    this.#clock.jump(ms)
  }

  /** Sets the time of day, as an operator does. Timers keep their remaining time. */
  setTime(time: Date | number) {
    this.#clock.setSystemTime(time)
  }

  /** How many timers of that length `after` has set, for tests of code that must set or cancel one. */
  timers(ms: number): Readonly<TimerCount> {
    return { ...this.#count(ms) }
  }

  #count(ms: number): TimerCount {
    const count = this.#counts.get(ms) ?? { set: 0, pending: 0 }
    this.#counts.set(ms, count)
    return count
  }
}

const asTimer = (cancel: () => void): Timer => ({
  cancel,
  unref() {
    return this
  },
})
