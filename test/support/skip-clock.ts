import { type Clock, SYSTEM_CLOCK, type Timer } from '../../core/index.ts'

/** The system's time, which can be made to skip: alarms that lie between ring at once. */
export class SkipClock implements Clock {
  #skipped = 0
  readonly #alarms = new Set<Alarm>()

  time() {
    return SYSTEM_CLOCK.time() + this.#skipped
  }

  now() {
    return SYSTEM_CLOCK.now() + this.#skipped
  }

  after(ms: number, task: () => void): Timer {
    const alarm = new Alarm(this.now() + ms, task, () => this.#alarms.delete(alarm))
    alarm.set(ms)
    this.#alarms.add(alarm)
    return alarm
  }

  every(ms: number, task: () => void): Timer {
    return SYSTEM_CLOCK.every(ms, task)
  }

  skip(ms: number) {
    this.#skipped += ms
    for (const alarm of this.#alarms) alarm.set(alarm.at - this.now())
  }
}

class Alarm implements Timer {
  readonly at: number
  readonly #task: () => void
  readonly #forget: () => void
  #timer: Timer | undefined

  constructor(at: number, task: () => void, forget: () => void) {
    this.at = at
    this.#task = task
    this.#forget = forget
  }

  set(ms: number) {
    this.#timer?.cancel()
    // Longer than a test.
    this.#timer = SYSTEM_CLOCK.after(Math.min(Math.max(0, ms), 1_000_000), () => this.#ring()).unref()
  }

  cancel() {
    this.#timer?.cancel()
    this.#forget()
  }

  unref() {
    return this
  }

  #ring() {
    this.#forget()
    this.#task()
  }
}
