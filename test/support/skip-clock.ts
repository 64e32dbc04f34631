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
    const alarm = new Alarm(this.now() + ms, () => {
      this.#alarms.delete(alarm)
      task()
    })
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
  readonly #ring: () => void
  #timer: Timer | undefined

  constructor(at: number, ring: () => void) {
    this.at = at
    this.#ring = ring
  }

  set(ms: number) {
    this.#timer?.cancel()
    // Longer than a test.
    this.#timer = SYSTEM_CLOCK.after(Math.min(Math.max(0, ms), 1_000_000), this.#ring).unref()
  }

  cancel() {
    this.#timer?.cancel()
  }

  unref() {
    return this
  }
}
