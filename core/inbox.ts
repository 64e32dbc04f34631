import type { Duplex } from 'node:stream'
import type { Clock, Timer } from './clock.ts'
import type { Frame } from './wire/index.ts'

/**
 * Handles a frame. A promise makes the following frames wait for it; a number of milliseconds makes this frame wait too,
 * and it is offered again then, with `waited` true.
 */
type Accept = (frame: Frame, waited: boolean) => Promise<void> | number | undefined

/**
 * Frames that have come in and wait for their turn. While anything waits, the socket is not read: TCP then slows the
 * peer down, so what lies here is never more than one chunk of it.
 */
export class Inbox {
  readonly #stream: Duplex
  readonly #clock: Clock
  readonly #accept: Accept
  #frames: Frame[] = []
  #next = 0
  #blocked = false
  readonly #holds = new Set<string>()
  #stopped = false
  #timer: Timer | undefined

  constructor(stream: Duplex, clock: Clock, accept: Accept) {
    this.#stream = stream
    this.#clock = clock
    this.#accept = accept
  }

  push(frame: Frame) {
    this.#frames.push(frame)
  }

  /** Stops handling frames until every reason to do so is released. */
  hold(reason: string) {
    this.#holds.add(reason)
  }

  release(reason: string) {
    if (this.#holds.delete(reason) && this.#holds.size === 0) this.run()
  }

  stop() {
    this.#stopped = true
    this.#timer?.cancel()
    this.#frames = []
  }

  run() {
    while (!this.#blocked && this.#holds.size === 0 && !this.#stopped && this.#next < this.#frames.length) {
      this.#offer(this.#frames[this.#next++] as Frame, false)
    }
    if (this.#stopped) return
    if (this.#next === this.#frames.length) {
      this.#frames = []
      this.#next = 0
      if (this.#stream.isPaused()) this.#stream.resume()
    } else this.#stream.pause()
  }

  #offer(frame: Frame, waited: boolean) {
    const wait = this.#accept(frame, waited)
    if (wait === undefined) return
    this.#blocked = true
    const goOn = (offerAgain: boolean) => {
      this.#blocked = false
      if (offerAgain && !this.#stopped) this.#offer(frame, true)
      this.run()
    }
    if (typeof wait === 'number') this.#timer = this.#clock.after(wait, () => goOn(true))
    else
      wait.then(
        () => goOn(false),
        () => goOn(false),
      )
  }
}
