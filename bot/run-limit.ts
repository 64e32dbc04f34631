import type { Clock, Timer } from '../core/clock.ts'
import { BotError } from './errors.ts'

/** Run time after which a handler counts as slow: it is logged, and releases its slot. */
export const SLOW_MS = 30_000

export interface RunLimitOptions {
  readonly clock: Clock
  /** Name of the handler. */
  readonly handler: string
  /** Milliseconds, without waits for answers; Infinity for no limit. */
  readonly limit: number
  /** Called after SLOW_MS, unless the limit is lower. */
  readonly onSlow: () => void
}

/** Time limit of one run of a handler. Waits for answers do not count: each has its own timeout. */
export class RunLimit {
  /** Rejects with `handler_timed_out` when the limit is reached, with `handler_cancelled` when it is cancelled. */
  readonly timedOut: Promise<never>
  readonly #options: RunLimitOptions
  #reject: (error: BotError) => void = () => {}
  #timer: Timer | undefined
  /** Milliseconds counted until the timer was last stopped. */
  #spent = 0
  #startedAt = 0
  /** Waits in progress: a handler may ask several questions at once. */
  #pauses = 0
  #isSlow = false

  constructor(options: RunLimitOptions) {
    this.#options = options
    this.timedOut = new Promise((_, reject) => {
      this.#reject = reject
    })
    // The race that awaits it may have been decided already.
    this.timedOut.catch(() => {})
    this.#resume()
  }

  async pauseDuring<T>(waiting: Promise<T>): Promise<T> {
    if (this.#pauses++ === 0) this.#pause()
    try {
      return await waiting
    } finally {
      if (--this.#pauses === 0) this.#resume()
    }
  }

  /** Ends the run because nobody wants its result. @param why in the log */
  cancel(why: string) {
    this.end()
    this.#reject(new BotError('handler_cancelled', why))
  }

  /** Times out now. */
  expire() {
    this.end()
    const { handler } = this.#options
    const seconds = Math.round(this.#spent / 1000)
    this.#reject(new BotError('handler_timed_out', `the handler ${handler} timed out after ${seconds} s`))
  }

  /** The run has ended: stops the timer for good. */
  end() {
    if (this.#timer !== undefined) this.#pause()
    this.#pauses = Number.POSITIVE_INFINITY
  }

  #pause() {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#spent += this.#options.clock.now() - this.#startedAt
  }

  #resume() {
    const { clock, limit, onSlow } = this.#options
    this.#startedAt = clock.now()
    const next = this.#isSlow ? limit : Math.min(SLOW_MS, limit)
    if (next === Number.POSITIVE_INFINITY) return
    this.#timer = clock.after(Math.max(0, next - this.#spent), () => {
      this.#pause()
      if (next === limit) return this.expire()
      this.#isSlow = true
      this.#resume()
      onSlow()
    })
  }
}
