import type { Clock, Timer } from '../core/clock.ts'
import { BotError } from './errors.ts'

/** How long a handler may run before its name is in the log and others go on beside it, milliseconds. */
export const SLOW_MS = 30_000

export interface RunLimitOptions {
  readonly clock: Clock
  /** Name of the handler. */
  readonly handler: string
  /** Milliseconds, without the waits for answers; Infinity for no limit. */
  readonly limit: number
  readonly onSlow: () => void
}

/** Bounds the time of one run of a handler. Waits for answers do not count: each has a time of its own. */
export class RunLimit {
  /** Rejects when the time is over. */
  readonly over: Promise<never>
  readonly #options: RunLimitOptions
  #expire: (error: BotError) => void = () => {}
  #timer: Timer | undefined
  #spent = 0
  #since = 0
  #pauses = 0
  #isSlow = false

  constructor(options: RunLimitOptions) {
    this.#options = options
    this.over = new Promise((_, reject) => {
      this.#expire = reject
    })
    // Looked at in a race that may have ended.
    this.over.catch(() => {})
    this.#go()
  }

  async pauseDuring<T>(waiting: Promise<T>): Promise<T> {
    if (this.#pauses++ === 0) this.#stop()
    try {
      return await waiting
    } finally {
      if (--this.#pauses === 0) this.#go()
    }
  }

  /** Ends the run now. */
  expire() {
    this.end()
    const { handler } = this.#options
    const seconds = Math.round(this.#spent / 1000)
    this.#expire(new BotError('handler_timed_out', `the handler ${handler} has not ended within ${seconds} s`))
  }

  /** The run has ended. */
  end() {
    if (this.#timer !== undefined) this.#stop()
    this.#pauses = Number.POSITIVE_INFINITY
  }

  #stop() {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#spent += this.#options.clock.now() - this.#since
  }

  #go() {
    const { clock, limit, onSlow } = this.#options
    this.#since = clock.now()
    const next = this.#isSlow ? limit : Math.min(SLOW_MS, limit)
    if (next === Number.POSITIVE_INFINITY) return
    this.#timer = clock.after(Math.max(0, next - this.#spent), () => {
      this.#stop()
      if (next === limit) return this.expire()
      this.#isSlow = true
      this.#go()
      onSlow()
    })
  }
}
