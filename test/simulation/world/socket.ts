import { Duplex } from 'node:stream'
import type { EventLoop, Process } from '../machine/event-loop.ts'

/** Bytes under way in one direction, after which the sender has to wait. */
const BUFFERED_BYTES = 65_536

/** One end of a simulated connection. What it sends arrives at the other end as a task of that one's process. */
export class SimulatedSocket extends Duplex {
  readonly process: Process
  readonly #link: Link
  #peer: SimulatedSocket | undefined
  /** Arrived, and not taken by the reader yet; null is the end. */
  readonly #arrived: (Buffer | null)[] = []
  #wantsMore = false
  /** Bytes that the reader of the other end has not taken. */
  #underWay = 0
  /** Resumes the writer. */
  #room: (() => void) | undefined
  /** Nothing arrives at the other end before this time. */
  #lastArrival = 0

  constructor(link: Link, process: Process) {
    super({ allowHalfOpen: false })
    this.#link = link
    this.process = process
  }

  connect(peer: SimulatedSocket) {
    this.#peer = peer
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void) {
    this.#underWay += chunk.length
    if (this.#underWay <= BUFFERED_BYTES) this.#link.loop.post(this.process, done)
    else this.#room = done
    this.#carry(() => this.#peer?.arrive(chunk))
  }

  override _final(done: () => void) {
    this.#carry(() => this.#peer?.arrive(null))
    done()
  }

  override _read() {
    this.#wantsMore = true
    this.#deliver()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void) {
    this.#carry(() => this.#peer?.reset())
    done(error)
  }

  arrive(chunk: Buffer | null) {
    if (this.destroyed) return
    this.#arrived.push(chunk)
    this.#deliver()
  }

  /** The other end is gone: nothing that is under way to it will be taken. */
  reset() {
    if (this.destroyed) return
    // What has arrived is read first, unless the reader has stopped reading.
    if (this.#arrived.length === 0 || this.isPaused()) this.destroy()
    else this.arrive(null)
  }

  #deliver() {
    while (this.#wantsMore && this.#arrived.length > 0) {
      const chunk = this.#arrived.shift() as Buffer | null
      this.#wantsMore = this.push(chunk)
      if (chunk !== null) this.#peer?.taken(chunk.length)
    }
  }

  /** The other end has taken bytes of this one. */
  taken(bytes: number) {
    this.#underWay -= bytes
    const room = this.#room
    if (room === undefined || this.#underWay > BUFFERED_BYTES) return
    this.#room = undefined
    this.#link.loop.post(this.process, room)
  }

  /** Calls `arrive` at the other end, in the order of the calls. */
  #carry(arrive: () => void) {
    const { loop } = this.#link
    const peer = this.#peer
    if (peer === undefined || this.process.isDead || this.#link.isBlack) return
    this.#lastArrival = Math.max(this.#lastArrival, this.#link.arrivalOf(loop.now))
    loop.after(peer.process, this.#lastArrival - loop.now, () => {
      if (!this.#link.isBlack) arrive()
    })
  }
}

/** What lies between the two ends of a connection. */
export class Link {
  readonly loop: EventLoop
  readonly ends: readonly [SimulatedSocket, SimulatedSocket]
  /** Nothing arrives any more, and neither end is told. */
  isBlack = false
  readonly #latencyMs: number
  #stalledUntil = 0

  constructor(loop: EventLoop, [one, other]: readonly [Process, Process], latencyMs: number) {
    this.loop = loop
    this.#latencyMs = latencyMs
    this.ends = [new SimulatedSocket(this, one), new SimulatedSocket(this, other)]
    this.ends[0].connect(this.ends[1])
    this.ends[1].connect(this.ends[0])
  }

  /** When something that is sent now arrives. */
  arrivalOf(now: number): number {
    return Math.max(now + this.#latencyMs * this.loop.random.between(0.5, 1.5), this.#stalledUntil)
  }

  /** Nothing arrives for a time; then everything does. */
  stall(ms: number) {
    this.#stalledUntil = this.loop.now + ms
  }

  /** Both ends see an error. */
  break() {
    for (const end of this.ends) {
      const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
      // The end of a server that has not accepted it belongs to nobody yet.
      this.loop.post(end.process, () => end.destroy(end.listenerCount('error') > 0 ? error : undefined))
    }
  }
}
