import type { Duplex } from 'node:stream'
import type { CipherState } from './cipher-state.ts'
import { sealRecords } from './record.ts'

/**
 * What waits to leave on one connection. All messages of one event-loop turn leave as one run of records in one write:
 * a record and a system call a message is what makes other servers slow.
 */
export class Outbox {
  readonly #stream: Duplex
  readonly #cipher: CipherState
  readonly #onTaken: () => void
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #written = 0

  /** @param onTaken told when all that waited was taken at once; otherwise the stream drains */
  constructor(stream: Duplex, cipher: CipherState, onTaken: () => void = () => {}) {
    this.#stream = stream
    this.#cipher = cipher
    this.#onTaken = onTaken
  }

  /** Bytes not yet taken by the operating system. */
  get size(): number {
    return this.#waitingBytes + this.#stream.writableLength
  }

  /** Bytes that the operating system has taken so far: it grows as long as the peer reads at all. */
  get taken(): number {
    return this.#written - this.#stream.writableLength
  }

  push(bytes: Buffer) {
    if (this.#waiting.length === 0) setImmediate(() => this.flush())
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  flush() {
    const [first] = this.#waiting
    if (first === undefined) return
    const plaintext = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting, this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
    if (!this.#stream.writable) return
    try {
      const sealed = sealRecords(this.#cipher, plaintext)
      this.#written += sealed.length
      if (this.#stream.write(sealed)) this.#onTaken()
    } catch (error) {
      // The cipher has used up its records: the connection must end before a nonce repeats.
      this.#stream.destroy(error as Error)
    }
  }
}
