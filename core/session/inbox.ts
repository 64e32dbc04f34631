import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../clock.ts'
import type { Runnable, RunQueue } from '../flow/run-queue.ts'
import type { Frame } from '../wire/index.ts'

/**
 * Handles a frame. Returns a promise that the following frames wait for, or milliseconds after which this frame is offered
 * again, with `waited` true.
 */
type Accept = (frame: Frame, waited: boolean) => Promise<void> | number | undefined

/**
 * Frames that have come in and wait for their turn. While anything waits, the socket is not read: TCP then slows the
 * peer down, so what lies here is never more than one chunk of it.
 */
export class Inbox implements Runnable {
  readonly #stream: Duplex
  readonly #clock: Clock
  readonly #queue: RunQueue
  readonly #accept: Accept
  #frames: Frame[] = []
  #next = 0
  #blocked = false
  readonly #holds = new Set<string>()
  #stopped = false
  #timer: Timer | undefined

  /** @param queue shares the event loop among connections */
  constructor(stream: Duplex, { clock, queue }: { clock: Clock; queue: RunQueue }, accept: Accept) {
    this.#stream = stream
    this.#clock = clock
    this.#queue = queue
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
    this.#queue.remove(this)
    this.#frames = []
  }

  /** Handles what waits, now or when this connection's share of the event loop comes. */
  run() {
    if (this.#isReady) this.#queue.run(this)
    else this.#readOn()
  }

  step(isOver: () => boolean): boolean {
    while (this.#isReady && !isOver()) this.#offer(this.#frames[this.#next++] as Frame, false)
    this.#readOn()
    return this.#isReady
  }

  get #isReady(): boolean {
    return !this.#blocked && this.#holds.size === 0 && !this.#stopped && this.#next < this.#frames.length
  }

  /** Back-pressure: the socket is read only while nothing waits here. */
  #readOn() {
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
    const resume = (offerAgain: boolean) => {
      this.#blocked = false
      if (offerAgain && !this.#stopped) this.#offer(frame, true)
      this.run()
    }
    if (typeof wait === 'number') this.#timer = this.#clock.after(wait, () => resume(true))
    else
      wait.then(
        () => resume(false),
        () => resume(false),
      )
  }
}
