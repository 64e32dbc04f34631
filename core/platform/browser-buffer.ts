const encoder = new TextEncoder()
// A leading U+FEFF belongs to the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const HEX_PAIRS = /^(?:[\da-f]{2})*/i
const NOT_BASE64 = /[^A-Za-z0-9+/]/g

/** A byte for each character. */
const fromBinary = (text: string) => Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))

/** A character for each byte. */
function toBinary(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Ignores what does not belong there. */
function fromBase64(text: string): Uint8Array {
  const digits = text.replace(NOT_BASE64, '')
  // A single digit at the end is less than a byte.
  return fromBinary(atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits))
}

function fromHex(text: string): Uint8Array {
  const [pairs = ''] = HEX_PAIRS.exec(text) ?? []
  return Uint8Array.from({ length: pairs.length / 2 }, (_, at) => Number.parseInt(pairs.slice(2 * at, 2 * at + 2), 16))
}

function encode(text: string, encoding: unknown): Uint8Array {
  if (encoding === 'hex') return fromHex(text)
  if (encoding === 'base64') return fromBase64(text)
  if (encoding === 'latin1' || encoding === 'ascii') return fromBinary(text)
  return encoder.encode(text)
}

/**
 * The part of Node's Buffer that the client library uses, with the same results for values in range. The package `buffer`,
 * which has all of it, was a seventh of a bundle.
 */
export class Buffer extends Uint8Array {
  static alloc(size: number): Buffer {
    return new Buffer(size)
  }

  static allocUnsafe(size: number): Buffer {
    return new Buffer(size)
  }

  /** Copies, except for an ArrayBuffer. */
  static override from(value: unknown, second?: unknown, third?: unknown): Buffer {
    if (value instanceof ArrayBuffer) return new Buffer(value, second as number, third as number)
    return new Buffer(typeof value === 'string' ? encode(value, second) : (value as ArrayLike<number>))
  }

  static concat(parts: readonly Uint8Array[], length = parts.reduce((sum, part) => sum + part.length, 0)) {
    const whole = new Buffer(length)
    let at = 0
    for (const part of parts) {
      const fitting = part.subarray(0, length - at)
      whole.set(fitting, at)
      at += fitting.length
    }
    return whole
  }

  /** Bytes of a text in UTF-8. */
  static byteLength(text: string): number {
    return encoder.encode(text).length
  }

  override toString(encoding: string = 'utf8', start = 0, end = this.length): string {
    const part = this.subarray(start, end)
    if (encoding === 'hex') return toHex(part)
    if (encoding === 'base64') return btoa(toBinary(part))
    if (encoding === 'latin1') return toBinary(part)
    return decoder.decode(part)
  }

  /** Writes a text in UTF-8, as far as there is room for its characters. @returns bytes written */
  write(text: string, at = 0): number {
    return encoder.encodeInto(text, this.subarray(at)).written
  }

  /** @returns bytes copied */
  copy(target: Uint8Array, targetStart = 0, start = 0, end = this.length): number {
    const fitting = this.subarray(start, Math.min(end, start + target.length - targetStart))
    target.set(fitting, targetStart)
    return fitting.length
  }

  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, at) => byte === other[at])
  }

  get #view(): DataView {
    return new DataView(this.buffer, this.byteOffset, this.length)
  }

  readUInt8(at = 0): number {
    return this.#view.getUint8(at)
  }

  readInt8(at = 0): number {
    return this.#view.getInt8(at)
  }

  readUInt16BE(at = 0): number {
    return this.#view.getUint16(at)
  }

  readInt16BE(at = 0): number {
    return this.#view.getInt16(at)
  }

  readUInt32BE(at = 0): number {
    return this.#view.getUint32(at)
  }

  readInt32BE(at = 0): number {
    return this.#view.getInt32(at)
  }

  readBigUInt64BE(at = 0): bigint {
    return this.#view.getBigUint64(at)
  }

  readBigInt64BE(at = 0): bigint {
    return this.#view.getBigInt64(at)
  }

  readDoubleBE(at = 0): number {
    return this.#view.getFloat64(at)
  }

  // Each `write…` returns the place after what it has written.

  writeUInt8(value: number, at = 0): number {
    this.#view.setUint8(at, value)
    return at + 1
  }

  writeInt8(value: number, at = 0): number {
    this.#view.setInt8(at, value)
    return at + 1
  }

  writeUInt16BE(value: number, at = 0): number {
    this.#view.setUint16(at, value)
    return at + 2
  }

  writeInt16BE(value: number, at = 0): number {
    this.#view.setInt16(at, value)
    return at + 2
  }

  writeUInt32BE(value: number, at = 0): number {
    this.#view.setUint32(at, value)
    return at + 4
  }

  writeInt32BE(value: number, at = 0): number {
    this.#view.setInt32(at, value)
    return at + 4
  }

  writeBigUInt64BE(value: bigint, at = 0): number {
    this.#view.setBigUint64(at, value)
    return at + 8
  }

  writeBigInt64BE(value: bigint, at = 0): number {
    this.#view.setBigInt64(at, value)
    return at + 8
  }

  writeDoubleBE(value: number, at = 0): number {
    this.#view.setFloat64(at, value)
    return at + 8
  }
}
