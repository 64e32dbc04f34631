import { Cron } from 'croner'
import type { Clock, Timer } from '../core/clock.ts'

/** Longest delay of one timer: after it, a clock that was set, or a suspended machine, is noticed. */
const MAX_TIMER_MS = 60_000

/** Calls back at the times of a cron pattern, by a clock. */
export class Schedule {
  readonly #cron: Cron
  readonly #clock: Clock
  readonly #run: (time: Date) => void
  #timer: Timer | undefined

  constructor(cron: Cron, clock: Clock, run: (time: Date) => void) {
    this.#cron = cron
    this.#clock = clock
    this.#run = run
  }

  start() {
    const now = this.#clock.time()
    const next = this.#cron.nextRun(new Date(now))
    if (next !== null) this.#waitFor(next, now)
  }

  stop() {
    this.#timer?.cancel()
  }

  #waitFor(time: Date, asOf: number) {
    const left = Math.min(Math.max(time.getTime() - asOf, 0), MAX_TIMER_MS)
    this.#timer = this.#clock.after(left, () => {
      const now = this.#clock.time()
      // The clock was set back: an earlier run may be due first.
      if (now < asOf) return this.start()
      // The timer was limited to MAX_TIMER_MS, or fired a little early.
      if (now < time.getTime()) return this.#waitFor(time, now)
      this.start()
      this.#run(time)
    })
  }
}

/** Parses a cron pattern. @throws TypeError for an invalid pattern or time zone */
export function readPattern(pattern: string, timezone: string | undefined): Cron {
  try {
    const cron = new Cron(pattern, { paused: true, ...(timezone !== undefined && { timezone }) })
    cron.nextRun()
    return cron
  } catch (error) {
    throw new TypeError(`"${pattern}" is not a valid schedule: ${(error as Error).message}`, { cause: error })
  }
}
