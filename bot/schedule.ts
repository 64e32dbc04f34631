import { Cron } from 'croner'
import type { Clock, Timer } from '../core/clock.ts'

/** How long one timer waits at most, milliseconds: within that a time of day that was set, or slept over, is noticed. */
const LOOK_MS = 60_000

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
    const left = Math.min(Math.max(time.getTime() - asOf, 0), LOOK_MS)
    this.#timer = this.#clock.after(left, () => {
      const now = this.#clock.time()
      // The time of day was set back: there may be a time before the one that was waited for.
      if (now < asOf) return this.start()
      // A timer may be a little early.
      if (now < time.getTime()) return this.#waitFor(time, now)
      this.start()
      this.#run(time)
    })
  }
}

/** A pattern whose runs are only computed here. @throws TypeError for what is no pattern, or no time zone */
export function readPattern(pattern: string, timezone: string | undefined): Cron {
  try {
    const cron = new Cron(pattern, { paused: true, ...(timezone !== undefined && { timezone }) })
    cron.nextRun()
    return cron
  } catch (error) {
    throw new TypeError(`"${pattern}" is no schedule: ${(error as Error).message}`, { cause: error })
  }
}
