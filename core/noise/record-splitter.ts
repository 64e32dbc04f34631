import { Buffer } from '#platform/runtime'
import { MAX_MESSAGE_LENGTH } from './handshake-pattern.ts'
import { NoiseError } from './noise-error.ts'
import { EMPTY, TAG_LENGTH } from './primitives.ts'

export interface SplitterOptions {
  /** Bytes expected first: `MAGIC` on a server; default none. */
  readonly magic?: Uint8Array
  /** See `RecordSplitter.maxLength`. */
  readonly maxLength?: number
}

/** Splits a byte stream, in chunks of any size, into the length-prefixed bodies (records, handshake messages) in it. */
export class RecordSplitter {
  /**
   * Longest body, bytes; default 65,535. Set it to the length of the expected handshake message until the handshake is
   * done, which bounds the memory that an unknown peer can occupy. A change applies from the next length on.
   */
  maxLength: number

  #magic: Uint8Array
  #lengthBytes = 0
  #length = 0
  #body: Buffer | undefined
  #filled = 0

  constructor({ magic = EMPTY, maxLength = MAX_MESSAGE_LENGTH }: SplitterOptions = {}) {
    this.#magic = magic
    this.maxLength = maxLength
  }

  /**
   * Yields the bodies that this chunk completes. Consume them before the next push: they may be views of the chunk.
   * Close the connection after an error: the position in the stream is lost.
   * @throws NoiseError `magic` at the first wrong byte; `length` for one above `maxLength` or below 16, the shortest body
   */
  *push(chunk: Uint8Array): Generator<Buffer, void, undefined> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    while (at < bytes.length) {
      if (this.#magic.length > 0) {
        this.#checkMagic(bytes.readUInt8(at++))
      } else if (this.#lengthBytes < 2) {
        this.#addLengthByte(bytes.readUInt8(at++))
      } else {
        const end = Math.min(at + this.#length - this.#filled, bytes.length)
        const body = this.#addToBody(bytes.subarray(at, end))
        at = end
        if (body) yield body
      }
    }
  }

  #checkMagic(byte: number): void {
    if (byte !== this.#magic[0]) throw new NoiseError('magic')
    this.#magic = this.#magic.subarray(1)
  }

  #addLengthByte(byte: number): void {
    this.#length = this.#length * 256 + byte
    this.#lengthBytes++
    if (this.#lengthBytes < 2) return
    if (this.#length < TAG_LENGTH || this.#length > this.maxLength) throw new NoiseError('length')
  }

  /** Returns the body once it is complete. A body that lies in one chunk is not copied. */
  #addToBody(piece: Buffer): Buffer | undefined {
    if (piece.length === this.#length) return this.#endBody(piece)
    this.#body ??= Buffer.allocUnsafe(this.#length)
    this.#filled += piece.copy(this.#body, this.#filled)
    return this.#filled === this.#length ? this.#endBody(this.#body) : undefined
  }

  #endBody(body: Buffer): Buffer {
    this.#lengthBytes = 0
    this.#length = 0
    this.#body = undefined
    this.#filled = 0
    return body
  }
}
