import { Cron } from 'croner'
import type { Clock, Timer } from '../core/clock.ts'

/** Longest time that one timer takes, milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

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
    const next = this.#cron.nextRun(new Date(this.#clock.time()))
    if (next !== null) this.#waitFor(next)
  }

  stop() {
    this.#timer?.cancel()
  }

  #waitFor(time: Date) {
    const left = time.getTime() - this.#clock.time()
    this.#timer = this.#clock.after(Math.min(Math.max(left, 0), LONGEST_TIMER), () => {
      // A timer may be a little early, and the longest ones have to be set again.
      if (this.#clock.time() < time.getTime()) return this.#waitFor(time)
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
