import type { Logger } from 'pino'
import { type Clock, SYSTEM_CLOCK, type Timer } from '../../../core/index.ts'

/** Pause between two looks at the clock of the database. */
const LOOK_MS = 60_000
/** The answer may have been given at any time of the look: a longer one says too little. */
const MAX_LOOK_MS = 1000
/** Difference of the clocks of machine and database that operators are told of. */
export const NOTED_DIFFERENCE_MS = 5000

export interface DatabaseClockParts {
  /** The time of the database. */
  readonly ask: () => Promise<number>
  readonly log: Logger
  /** The clock of the machine, for everything but the time of day. */
  readonly machine?: Clock
}

/**
 * The time of the database, which the nodes of a cluster share: one whose machine is ahead sends nothing early. Between two
 * looks it advances by the monotonic clock, so it does not jump with the time of the machine.
 */
export class DatabaseClock implements Clock {
  readonly #parts: DatabaseClockParts
  readonly #machine: Clock
  readonly #timer: Timer
  /** Time of the database at 0 of the monotonic clock. */
  #base: number
  #look: Promise<void> | undefined
  #isDifferent = false

  private constructor(parts: DatabaseClockParts, machine: Clock) {
    this.#parts = parts
    this.#machine = machine
    this.#base = machine.time() - machine.now()
    this.#timer = machine.every(LOOK_MS, () => this.#lookAgain()).unref()
  }

  /** @throws the error of the database */
  static async start(parts: DatabaseClockParts): Promise<DatabaseClock> {
    const clock = new DatabaseClock(parts, parts.machine ?? SYSTEM_CLOCK)
    try {
      await clock.#set(Number.POSITIVE_INFINITY)
    } catch (error) {
      await clock.end()
      throw error
    }
    return clock
  }

  time(): number {
    return Math.round(this.#base + this.#machine.now())
  }

  now(): number {
    return this.#machine.now()
  }

  after(ms: number, task: () => void): Timer {
    return this.#machine.after(ms, task)
  }

  every(ms: number, task: () => void): Timer {
    return this.#machine.every(ms, task)
  }

  /** Resolves when the database is not asked any more. */
  async end() {
    this.#timer.cancel()
    await this.#look
  }

  #lookAgain() {
    this.#look ??= this.#set(MAX_LOOK_MS)
      .catch((error) =>
        this.#parts.log.warn({ err: error }, 'the clock of the database could not be read; trying again'),
      )
      .finally(() => {
        this.#look = undefined
      })
  }

  async #set(longest: number) {
    const began = this.#machine.now()
    const time = await this.#parts.ask()
    const ended = this.#machine.now()
    if (ended - began > longest) return
    this.#base = time - (began + ended) / 2
    this.#note()
  }

  #note() {
    const difference = this.#machine.time() - this.time()
    const wasDifferent = this.#isDifferent
    this.#isDifferent = Math.abs(difference) > NOTED_DIFFERENCE_MS
    if (this.#isDifferent && !wasDifferent)
      this.#parts.log.warn(
        { seconds: Math.round(difference / 1000) },
        `${describeDifference(difference)}: this node uses the time of the database; synchronise both clocks (NTP)`,
      )
  }
}

/** @param difference milliseconds by which the machine is ahead */
export function describeDifference(difference: number): string {
  const seconds = Math.round(Math.abs(difference) / 1000)
  return `the clock of this machine is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} that of the database`
}
