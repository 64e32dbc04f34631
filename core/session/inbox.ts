import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../clock.ts'
import type { Runnable, RunQueue } from '../flow/run-queue.ts'
import type { Frame } from '../wire/index.ts'

/** What is done with the input of a peer, piece by piece. */
export interface Input {
  /**
   * Decrypts a record and adds the frames that it completes; returns the milliseconds until the next record may be
   * opened. An error stops the inbox.
   */
  open(record: Buffer, frames: Frame[]): number
  /**
   * Handles a frame. Returns a promise that the following frames wait for, or milliseconds after which this frame is
   * offered again, with `waited` true.
   */
  accept(frame: Frame, waited: boolean): Promise<void> | number | undefined
  /** `open` or the iterator of records has failed. */
  broken(error: unknown): void
}

/**
 * Records and frames that have come in and wait for their turn: decryption too is work in the connection's share of the
 * event loop. While anything waits, the socket is not read: TCP then slows the peer down, so what lies here is never more
 * than one chunk of it.
 */
export class Inbox implements Runnable {
  readonly #stream: Duplex
  readonly #clock: Clock
  readonly #queue: RunQueue
  readonly #input: Input
  /** The rest of the chunk. */
  #records: Iterator<Buffer, void> | undefined
  /** The next record of the chunk; undefined if there is none. */
  #record: Buffer | undefined
  #frames: Frame[] = []
  #next = 0
  #blocked = false
  readonly #holds = new Set<string>()
  #stopped = false
  #timer: Timer | undefined

  /** @param queue shares the event loop among connections */
  constructor(stream: Duplex, { clock, queue }: { clock: Clock; queue: RunQueue }, input: Input) {
    this.#stream = stream
    this.#clock = clock
    this.#queue = queue
    this.#input = input
  }

  /** Takes in a chunk of the stream. @param records in the chunk, each asked for once the one before it was opened */
  push(records: Iterator<Buffer, void>) {
    if (this.#stopped) return
    this.#records = records
    this.#find()
    this.run()
  }

  /** Stops handling input until every reason to do so is released. */
  hold(reason: string) {
    this.#holds.add(reason)
  }

  release(reason: string) {
    if (this.#holds.delete(reason) && this.#holds.size === 0) this.run()
  }

  /** Drops what waits and what comes. The stream is read on, so that its end is noticed. */
  stop() {
    this.#stopped = true
    this.#timer?.cancel()
    this.#queue.remove(this)
    this.#records = undefined
    this.#record = undefined
    this.#frames = []
    if (this.#stream.isPaused()) this.#stream.resume()
  }

  /** Handles what waits, now or when this connection's share of the event loop comes. */
  run() {
    if (this.#isReady) this.#queue.run(this)
    // Also if the queue has run nothing: the socket may have more chunks for this very turn.
    this.#readOn()
  }

  step(isOver: () => boolean): boolean {
    while (this.#isReady && !isOver()) {
      if (this.#next < this.#frames.length) this.#offer(this.#frames[this.#next++] as Frame, false)
      else this.#open(this.#record as Buffer)
    }
    this.#readOn()
    return this.#isReady
  }

  get #isReady(): boolean {
    return !this.#blocked && this.#holds.size === 0 && !this.#stopped && !this.#isEmpty
  }

  get #isEmpty(): boolean {
    return this.#next === this.#frames.length && this.#record === undefined
  }

  /** Back-pressure: the socket is read only while nothing waits here. */
  #readOn() {
    if (this.#stopped) return
    if (this.#isEmpty) {
      // Emptied, not replaced: a new array of each connection would survive the next garbage collection.
      this.#frames.length = 0
      this.#next = 0
      if (this.#stream.isPaused()) this.#stream.resume()
    } else this.#stream.pause()
  }

  /** Finds the next record of the chunk. */
  #find() {
    try {
      this.#record = this.#records?.next().value ?? undefined
      // Used up, it would keep the chunk alive until the next one.
      if (this.#record === undefined) this.#records = undefined
    } catch (error) {
      this.#broken(error)
    }
  }

  #open(record: Buffer) {
    let wait: number
    try {
      wait = this.#input.open(record, this.#frames)
    } catch (error) {
      return this.#broken(error)
    }
    this.#find()
    if (wait > 0) this.#blockFor(wait, () => this.run())
  }

  #broken(error: unknown) {
    this.stop()
    this.#input.broken(error)
  }

  #offer(frame: Frame, waited: boolean) {
    const wait = this.#input.accept(frame, waited)
    if (wait === undefined) return
    if (typeof wait === 'number') {
      this.#blockFor(wait, () => {
        this.#offer(frame, true)
        this.run()
      })
      return
    }
    this.#blocked = true
    const resume = () => {
      this.#blocked = false
      this.run()
    }
    wait.then(resume, resume)
  }

  #blockFor(ms: number, resume: () => void) {
    if (this.#stopped) return
    this.#blocked = true
    this.#timer = this.#clock.after(ms, () => {
      this.#blocked = false
      resume()
    })
  }
}
