import { MAX_MESSAGE_LENGTH } from './handshake-pattern.ts'
import { NoiseError } from './noise-error.ts'
import { EMPTY, TAG_LENGTH } from './primitives.ts'

export interface SplitterOptions {
  /** Bytes that must come first, `MAGIC` on a server; none unless given. */
  readonly magic?: Uint8Array
  /** See `RecordSplitter.maxLength`. */
  readonly maxLength?: number
}

/** Cuts what a socket delivers, in pieces of any size, into the length-prefixed bodies that the peer framed. */
export class RecordSplitter {
  /**
   * Bytes that a body may declare, 65,535 unless set. Before anything is known of a peer, set the length of the one
   * message it may send: it can then make us hold no more than that. A change counts from the next length on.
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
   * The bodies that are complete with this chunk. Run through them before the next push; they may be views of the chunk.
   * Throws NoiseError `magic` at the first wrong byte, and `length` as soon as a length is known that is above
   * `maxLength` or below 16 (nothing shorter occurs). After that the place in the stream is lost: close.
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

  /** Returns the body once it is whole: without a copy if it lies in one chunk, else from a buffer filled piece by piece. */
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
