export interface HeartbeatOptions {
  /** Milliseconds of silence after which the peer is asked whether it lives. */
  readonly silence: number
  /** Milliseconds in which anything at all must come after that. */
  readonly patience: number
  /** When the peer was last heard of, by `performance.now()`. */
  readonly heardAt: () => number
  /** Sends something that is answered. */
  readonly ask: () => void
  /** Nothing came: the connection is dead, although nobody closed it. */
  readonly dead: () => void
}

/**
 * Notices a connection that has died without being closed: a cable, a power cut, a forgotten entry in some router. Only
 * silence tells, since writing into such a connection succeeds for minutes.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#listen(options.silence)
  }

  stop() {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #after(ms: number, task: () => void) {
    if (!this.#isOver) this.#timer = setTimeout(task, ms).unref()
  }

  #listen(ms: number) {
    const { silence, heardAt } = this.#options
    this.#after(ms, () => {
      const left = heardAt() + silence - performance.now()
      if (left > 0) this.#listen(left)
      else this.#ask()
    })
  }

  #ask() {
    const { patience, silence, heardAt, ask, dead } = this.#options
    const asked = performance.now()
    ask()
    this.#after(patience, () => {
      // A process that was busy all that time reads what lies in its socket first.
      setImmediate(() => {
        if (this.#isOver) return
        if (heardAt() >= asked) this.#listen(silence)
        else dead()
      })
    })
  }
}
