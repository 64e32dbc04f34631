import type { Clock } from '../clock.ts'

/** Something that handles what has come in, a little at a time. */
export interface Runnable {
  /** Works until `isOver` or until nothing is left to do now; returns whether something is left. */
  step(isOver: () => boolean): boolean
}

/** Milliseconds that handling requests may take of one turn of the event loop. */
const TURN_MS = 10
/** Milliseconds of a turn that one connection may take before the others have theirs. */
const SHARE_MS = 2
/** Requests between two looks at the clock. */
const STRIDE = 8

/**
 * Divides the event loop among connections: each gets a small share of a turn, one after the other, and timers and
 * sockets are served between turns. While the loop is idle a request is handled in the turn that brings it.
 */
export class RunQueue {
  readonly #clock: Clock
  readonly #waiting = new Set<Runnable>()
  /** `clock.now()` when the first request of this turn was handled; undefined between turns. */
  #startedAt: number | undefined
  #isScheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs it now if the turn has time left and nothing else waits; otherwise when its share comes. */
  run(runnable: Runnable) {
    if (this.#waiting.size === 0 && this.#timeLeft()) this.#give(runnable)
    else this.#enqueue(runnable)
  }

  /** It has ended: takes it out of the queue. */
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

  #give(runnable: Runnable) {
    const end = this.#clock.now() + SHARE_MS
    let steps = 0
    if (runnable.step(() => ++steps % STRIDE === 0 && this.#clock.now() >= end)) this.#enqueue(runnable)
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
      // Deleted before its share: what it leaves undone puts it at the end of the queue.
      this.#waiting.delete(next)
      this.#give(next)
    }
    const [next] = this.#waiting
    if (next !== undefined) this.#enqueue(next)
  }
}
