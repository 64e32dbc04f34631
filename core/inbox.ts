import type { Duplex } from 'node:stream'
import type { Frame } from './wire/index.ts'

/**
 * Frames that have come in and wait for their turn. While anything waits, the socket is not read: TCP then slows the
 * peer down, so what lies here is never more than one chunk of it.
 */
export class Inbox {
  readonly #stream: Duplex
  readonly #accept: (frame: Frame) => Promise<void> | number | undefined
  #frames: Frame[] = []
  #next = 0
  #blocked = false
  #held = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  /** @param accept handles a frame; a promise or a number of milliseconds makes the following ones wait */
  constructor(stream: Duplex, accept: (frame: Frame) => Promise<void> | number | undefined) {
    this.#stream = stream
    this.#accept = accept
  }

  push(frame: Frame) {
    this.#frames.push(frame)
  }

  /** Stops handling frames until `release`: too many requests are under way. */
  hold() {
    this.#held = true
  }

  release() {
    this.#held = false
    this.run()
  }

  stop() {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#frames = []
  }

  run() {
    while (!this.#blocked && !this.#held && !this.#stopped && this.#next < this.#frames.length) {
      const wait = this.#accept(this.#frames[this.#next++] as Frame)
      if (wait !== undefined) this.#wait(wait)
    }
    if (this.#stopped) return
    if (this.#next === this.#frames.length) {
      this.#frames = []
      this.#next = 0
      if (this.#stream.isPaused()) this.#stream.resume()
    } else this.#stream.pause()
  }

  #wait(wait: Promise<void> | number) {
    this.#blocked = true
    const go = () => {
      this.#blocked = false
      this.run()
    }
    if (typeof wait === 'number') this.#timer = setTimeout(go, wait)
    else wait.then(go, go)
  }
}
