import type { Clock } from '../clock.ts'

/** Work that can be interrupted and resumed. */
export interface Runnable {
  /** Works until `isOver`, or until there is nothing to do now; returns whether work is left. */
  step(isOver: () => boolean): boolean
}

/** Time budget for requests in one turn of the event loop. */
const TURN_MS = 10
/** Time slice of one connection. */
const SLICE_MS = 2
/** Requests between two reads of the clock. */
const REQUESTS_PER_CLOCK_READ = 8

/**
 * Round-robin scheduler: connections get small time slices, and timers and sockets are served between turns. While the
 * event loop is idle, a request is handled in the turn that receives it.
 */
export class RunQueue {
  readonly #clock: Clock
  readonly #waiting = new Set<Runnable>()
  /** `clock.now()` at the first request of this turn; undefined between turns. */
  #startedAt: number | undefined
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs it now if the turn has time left and nothing else waits; otherwise enqueues it. */
  run(runnable: Runnable) {
    if (this.#waiting.size === 0 && this.#timeLeft()) this.#runSlice(runnable)
    else this.#enqueue(runnable)
  }

  remove(runnable: Runnable) {
    this.#waiting.delete(runnable)
  }

  #timeLeft(): boolean {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.now()
      setImmediate(() => {
        this.#startedAt = undefined
      })
    }
    return this.#clock.now() - this.#startedAt < TURN_MS
  }

  #runSlice(runnable: Runnable) {
    const end = this.#clock.now() + SLICE_MS
    let requests = 0
    if (runnable.step(() => ++requests % REQUESTS_PER_CLOCK_READ === 0 && this.#clock.now() >= end))
      this.#enqueue(runnable)
  }

  #enqueue(runnable: Runnable) {
    this.#waiting.add(runnable)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#turn())
  }

  #turn() {
    this.#isScheduled = false
    this.#startedAt = undefined
    while (this.#waiting.size > 0 && this.#timeLeft()) {
      const [next] = this.#waiting
      if (next === undefined) return
      // Deleted before its slice: if work is left, it is enqueued again at the end.
      this.#waiting.delete(next)
      this.#runSlice(next)
    }
    const [next] = this.#waiting
    if (next !== undefined) this.#enqueue(next)
  }
}
