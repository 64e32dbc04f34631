import { afterTurn, Buffer } from '#platform/runtime'
import type { CipherState } from './cipher-state.ts'
import { sealRecords } from './record.ts'

/** The stream that an outbox writes to: a Duplex of Node, or one of `client/`. */
export interface OutboxStream {
  readonly writable: boolean
  /** Bytes not yet taken by the operating system. */
  readonly writableLength: number
  write(bytes: Buffer, onWritten: (error?: Error | null) => void): unknown
  destroy(error?: Error): unknown
}

/**
 * Send buffer of one connection. All messages of one turn of the event loop leave in one write, in as few records as
 * possible: one record and one system call per message would be the largest cost of a small message.
 */
export class Outbox {
  readonly #stream: OutboxStream
  readonly #cipher: CipherState
  /** Runs when the system has taken a write, or the stream has failed. */
  readonly #onWritten: (error?: Error | null) => void
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #written = 0

  /** @param onTaken called when the system has taken a write: `drain` comes only after a write above the high-water mark */
  constructor(stream: OutboxStream, cipher: CipherState, onTaken: () => void = () => {}) {
    this.#stream = stream
    this.#cipher = cipher
    this.#onWritten = (error) => {
      if (!error) onTaken()
    }
  }

  /** Bytes not yet taken by the operating system. */
  get size(): number {
    return this.#waitingBytes + this.#stream.writableLength
  }

  /** Bytes taken by the operating system so far; grows as long as the peer reads. */
  get taken(): number {
    return this.#written - this.#stream.writableLength
  }

  push(bytes: Buffer) {
    if (this.#waiting.length === 0) afterTurn(() => this.flush())
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  flush() {
    const [first] = this.#waiting
    if (first === undefined) return
    const plaintext = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting, this.#waitingBytes)
    // Emptied, not replaced: a new array of each connection would survive the next garbage collection.
    this.#waiting.length = 0
    this.#waitingBytes = 0
    if (!this.#stream.writable) return
    try {
      const sealed = sealRecords(this.#cipher, plaintext)
      this.#written += sealed.length
      this.#stream.write(sealed, this.#onWritten)
    } catch (error) {
      // The key is exhausted: the connection must end before a nonce repeats.
      this.#stream.destroy(error as Error)
    }
  }
}
