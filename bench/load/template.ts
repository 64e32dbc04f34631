import { OnNewMessage } from '../../client/index.ts'
import { decode, encode, type Frame, HEADER_BYTES, type InputOf, type Message } from '../../core/wire/index.ts'

/** Most values in one push of a server. */
const MAX_VALUES = 32 * 1024

/** A message that is encoded once, then copied and patched, so that generating load is cheap. */
export class Template {
  readonly #bytes: Buffer
  readonly #data: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#data = HEADER_BYTES + bytes.readUInt32BE(4)
  }

  static of<M extends Message>(message: M, values: InputOf<M>): Template {
    return new Template(encode(message, 0, values))
  }

  /** Offset of a text in the message. @throws Error unless it occurs exactly once */
  offsetOf(text: string): number {
    const at = this.#bytes.indexOf(text)
    if (at < 0 || this.#bytes.indexOf(text, at + 1) >= 0)
      throw new Error(`"${text}" does not occur exactly once in the message`)
    return at
  }

  /** A copy with that `ref`. */
  copy(ref: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#bytes.length)
    this.#bytes.copy(bytes)
    bytes.writeUInt32BE(ref >>> 0, this.#data)
    return bytes
  }

  /** Offset of the first value after `ref`. */
  get firstUint64(): number {
    return this.#data + 4
  }

  /** Offset of the last value, if it has eight bytes. */
  get lastUint64(): number {
    return this.#bytes.length - 8
  }
}

/** Reads an id, which is below 2^53. */
const readId = (bytes: Buffer, at: number) => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

export function writeId(bytes: Buffer, id: number, at: number) {
  bytes.writeUInt32BE(Math.floor(id / 2 ** 32), at)
  bytes.writeUInt32BE(id % 2 ** 32, at + 4)
}

/** Id of the last message in a push. */
export function lastIdOf(frame: Frame): number {
  // Fast path without decoding: pushes of new messages contain one.
  if (frame.bytes.readUInt32BE(frame.data + 4) === 1) return readId(frame.bytes, frame.data + 8)
  return decode(OnNewMessage, frame, MAX_VALUES).values.messages.at(-1)?.id ?? 0
}
