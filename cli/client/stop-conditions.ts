import type { ExitName } from '../errors/exit.ts'

export interface Stops {
  /** Number of messages; Infinity for no limit. */
  readonly count: number
  /** Total time in milliseconds. */
  readonly for: number | undefined
  /** Milliseconds without a message. */
  readonly idle?: number | undefined
}

/** Stop conditions of a command that waits: a count, a total time, an idle time, Ctrl-C. */
export class StopConditions {
  readonly #stop = new AbortController()
  readonly #stops: Stops
  readonly #interrupt: AbortSignal
  readonly #interrupted = () => this.#stop.abort()
  #total: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined
  #count = 0

  constructor(stops: Stops, interrupt: AbortSignal) {
    this.#stops = stops
    this.#interrupt = interrupt
    interrupt.addEventListener('abort', this.#interrupted)
    if (interrupt.aborted) this.#stop.abort()
    if (stops.for !== undefined) this.#total = setTimeout(() => this.#stop.abort(), stops.for)
    this.#listenForSilence()
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  counted() {
    if (++this.#count >= this.#stops.count) this.#stop.abort()
    else this.#listenForSilence()
  }

  /** `timed_out` when fewer messages came than were asked for; without a count, the end of the time is `ok`. */
  exit(): ExitName {
    if (this.#interrupt.aborted) return 'interrupted'
    return Number.isFinite(this.#stops.count) && this.#count < this.#stops.count ? 'timed_out' : 'ok'
  }

  end() {
    clearTimeout(this.#total)
    clearTimeout(this.#silence)
    this.#interrupt.removeEventListener('abort', this.#interrupted)
  }

  #listenForSilence() {
    if (this.#stops.idle === undefined) return
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#stop.abort(), this.#stops.idle)
  }
}
