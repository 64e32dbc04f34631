import type { Clock, Timer } from '../../core/clock.ts'

interface Due {
  at: number
  readonly every: number | undefined
  readonly task: () => void
}

/** A clock that goes on only when it is told to. It begins with the system's time. */
export class FakeClock implements Clock {
  #time = Date.now()
  readonly #due = new Set<Due>()

  time() {
    return this.#time
  }

  now() {
    return this.#time
  }

  after(ms: number, task: () => void): Timer {
    return this.#timer({ at: this.#time + ms, every: undefined, task })
  }

  every(ms: number, task: () => void): Timer {
    return this.#timer({ at: this.#time + ms, every: ms, task })
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#due.size
  }

  advance(ms: number) {
    const end = this.#time + ms
    for (;;) {
      const [next] = [...this.#due].sort((one, other) => one.at - other.at)
      if (next === undefined || next.at > end) break
      this.#time = next.at
      if (next.every === undefined) this.#due.delete(next)
      else next.at += next.every
      next.task()
    }
    this.#time = end
  }

  #timer(due: Due): Timer {
    this.#due.add(due)
    const timer: Timer = { cancel: () => void this.#due.delete(due), unref: () => timer }
    return timer
  }
}
