import { Buffer } from '#platform/runtime'
import { type Frame, HEADER_BYTES, type Header, type MessageLimits, readHeader } from './header.ts'

/**
 * Splits a byte stream, in chunks of any size, into messages. A message within one chunk is a view of it; one that spans
 * chunks is copied once, into a buffer of its declared (and checked) length.
 */
export class MessageSplitter {
  /** May be raised at any time, for example after login. */
  limits: MessageLimits
  #partialHeader = Buffer.alloc(HEADER_BYTES)
  #partial: Buffer | undefined
  #filled = 0
  #header: Header | undefined

  constructor(limits: MessageLimits) {
    this.limits = limits
  }

  /** True in the middle of a message: a stream that ends here is truncated. */
  get pending(): boolean {
    return this.#filled > 0 || this.#header !== undefined
  }

  /** Yields every message that the chunk completes. @throws WireError `oversized`; the stream is unusable then */
  *push(chunk: Buffer): Generator<Frame, void, void> {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#header === undefined) {
        if (this.#filled === 0 && chunk.length - offset >= HEADER_BYTES) {
          this.#header = readHeader(chunk, offset, this.limits)
          offset += HEADER_BYTES
        } else {
          const taken = chunk.copy(this.#partialHeader, this.#filled, offset)
          this.#filled += taken
          offset += taken
          if (this.#filled < HEADER_BYTES) return
          this.#filled = 0
          this.#header = readHeader(this.#partialHeader, 0, this.limits)
        }
      }
      const length = this.#header.formatLength + this.#header.dataLength
      if (this.#partial === undefined && chunk.length - offset >= length) {
        yield this.#take(chunk, offset)
        offset += length
        continue
      }
      this.#partial ??= Buffer.allocUnsafe(length)
      const taken = chunk.copy(this.#partial, this.#filled, offset)
      this.#filled += taken
      offset += taken
      if (this.#filled < length) return
      yield this.#take(this.#partial, 0)
    }
  }

  #take(bytes: Buffer, format: number): Frame {
    const { type, formatLength, dataLength } = this.#header as Header
    this.#header = undefined
    this.#partial = undefined
    this.#filled = 0
    const data = format + formatLength
    return { type, bytes, format, data, end: data + dataLength }
  }
}
