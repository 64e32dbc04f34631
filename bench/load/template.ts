import { OnNewMessage } from '../../client/index.ts'
import { decode, encode, type Frame, HEADER_BYTES, type InputOf, type Message } from '../../core/wire/index.ts'

/** As many as a server puts into one push. */
const MAX_VALUES = 32 * 1024

/**
 * A message of which only some bytes differ each time: encoded once, then copied and patched, so that the load costs
 * this side next to nothing.
 */
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

  /** Where a text is, for `patch`. @throws Error when it is not there, or not only once */
  placeOf(text: string): number {
    const at = this.#bytes.indexOf(text)
    if (at < 0 || this.#bytes.indexOf(text, at + 1) >= 0) throw new Error(`"${text}" is not in the message just once`)
    return at
  }

  /** A copy with that `ref`. */
  copy(ref: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#bytes.length)
    this.#bytes.copy(bytes)
    bytes.writeUInt32BE(ref >>> 0, this.#data)
    return bytes
  }

  /** Where the first value after \`ref\` is. */
  get firstUint64(): number {
    return this.#data + 4
  }

  /** Where the last value is, if it is one of eight bytes. */
  get lastUint64(): number {
    return this.#bytes.length - 8
  }
}

/** Reads an id: below 2^53 by definition. */
const readId = (bytes: Buffer, at: number) => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

export function writeId(bytes: Buffer, id: number, at: number) {
  bytes.writeUInt32BE(Math.floor(id / 2 ** 32), at)
  bytes.writeUInt32BE(id % 2 ** 32, at + 4)
}

/** The number of the last message in a push. */
export function lastIdOf(frame: Frame): number {
  // Read without decoding where the load is: pushes of what was just stored carry one message.
  if (frame.bytes.readUInt32BE(frame.data + 4) === 1) return readId(frame.bytes, frame.data + 8)
  return decode(OnNewMessage, frame, MAX_VALUES).values.messages.at(-1)?.id ?? 0
}
