import { createCipheriv, createDecipheriv } from 'node:crypto'
import { HEADER_BYTES, type MessageLimits, readHeader, WireError } from '../../core/wire/index.ts'
import { parseFormat, StructError, type StructValue, unpack } from './struct.ts'

/** A frame of the original: hex digits of AES-128-CBC over header, format and data, padded with 1 to 16 zero bytes. */
export interface OldFrame {
  readonly type: number
  readonly values: readonly StructValue[]
}

/** Key and IV of every frame of every installation: not secret, see docs/LEGACY.md. */
const KEY = Buffer.from('jeremyjonejeremy')
const BLOCK_BYTES = 16
const BLOCK_DIGITS = 2 * BLOCK_BYTES

/** Digits of a frame whose header, format and data have `length` bytes together. */
const wireLength = (length: number) => BLOCK_DIGITS * (Math.floor(length / BLOCK_BYTES) + 1)

/** Most bytes of header, format and data that the original client can receive: it reads 4,096 digits at once. */
export const MAX_PLAIN_BYTES = 2047
/** The same for a frame that must fit one TCP segment of an ordinary network: 1,440 digits. */
export const SEGMENT_PLAIN_BYTES = 719

/** Bytes left for the `last` texts of a frame of at most `max` bytes, after the texts `before`. */
export const roomFor = (before: readonly string[], max: number, last = 1): number =>
  max - HEADER_BYTES - before.reduce((sum, text) => sum + sizeOf(text), 0) - last * '2047s'.length

const sizeOf = (text: string) => Buffer.byteLength(text) + `${Buffer.byteLength(text)}s`.length

/** Encrypts a frame of packed data. */
export function seal(type: number, format: string, data: Buffer): Buffer {
  const length = HEADER_BYTES + format.length + data.length
  const plain = Buffer.alloc(wireLength(length) / 2)
  plain.writeUInt32BE(type, 0)
  plain.writeUInt32BE(format.length, 4)
  plain.writeUInt32BE(data.length, 8)
  plain.write(format, HEADER_BYTES, 'latin1')
  data.copy(plain, HEADER_BYTES + format.length)
  const cipher = createCipheriv('aes-128-cbc', KEY, KEY).setAutoPadding(false)
  return Buffer.from(Buffer.concat([cipher.update(plain), cipher.final()]).toString('hex'), 'latin1')
}

/** Encodes a frame of texts; the original's messages contain nothing else. */
export function encodeFrame(type: number, ...texts: readonly string[]): Buffer {
  const values = texts.map((text) => Buffer.from(text))
  return seal(type, values.map(({ length }) => `${length}s`).join(''), Buffer.concat(values))
}

/**
 * Splits a stream of digits, in chunks of any size, into frames; the first block contains the length. (The original
 * expects one frame per read, and loses the others.)
 */
export class FrameSplitter {
  /** Checked before a frame is buffered. May be raised at any time. */
  limits: MessageLimits
  #digits = Buffer.alloc(BLOCK_DIGITS)
  #filled = 0
  #length = 0

  constructor(limits: MessageLimits) {
    this.limits = limits
  }

  /** True in the middle of a frame. */
  get pending(): boolean {
    return this.#filled > 0
  }

  /** @throws WireError for other characters than digits, a length beyond the limits, values that do not match the format */
  *push(chunk: Buffer): Generator<OldFrame, void, void> {
    if (!/^[0-9a-f]*$/i.test(chunk.toString('latin1'))) throw new WireError('format', 'not hexadecimal digits')
    let offset = 0
    while (offset < chunk.length) {
      const taken = chunk.copy(this.#digits, this.#filled, offset)
      this.#filled += taken
      offset += taken
      if (this.#filled < this.#digits.length) return
      if (this.#length === 0) this.#begin()
      if (this.#filled < this.#digits.length) continue
      const frame = open(this.#digits, this.#length, this.limits)
      this.#digits = Buffer.alloc(BLOCK_DIGITS)
      this.#filled = 0
      this.#length = 0
      yield frame
    }
  }

  /** The first block is complete: allocates the frame. */
  #begin() {
    const { formatLength, dataLength } = readHeader(decrypt(this.#digits), 0, this.limits)
    this.#length = HEADER_BYTES + formatLength + dataLength
    const digits = Buffer.alloc(wireLength(this.#length))
    this.#digits.copy(digits)
    this.#digits = digits
  }
}

function decrypt(digits: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cbc', KEY, KEY).setAutoPadding(false)
  return Buffer.concat([decipher.update(Buffer.from(digits.toString('latin1'), 'hex')), decipher.final()])
}

function open(digits: Buffer, length: number, limits: MessageLimits): OldFrame {
  const plain = decrypt(digits)
  const { type, formatLength, dataLength } = readHeader(plain, 0, limits)
  if (plain.subarray(length).some((byte) => byte !== 0)) throw new WireError('length', 'longer than its header says')
  const format = plain.toString('latin1', HEADER_BYTES, HEADER_BYTES + formatLength)
  const data = plain.subarray(HEADER_BYTES + formatLength, length)
  try {
    // The format is untrusted: its size is checked before anything is allocated.
    parseFormat(format, { maxItems: limits.values, maxSize: dataLength })
    return { type, values: unpack(format, data) }
  } catch (error) {
    if (!(error instanceof StructError)) throw error
    throw new WireError('format', error.message)
  }
}
