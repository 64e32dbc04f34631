/**
 * One value of a struct. `c`, `s` and `p` are bytes, `?` is a boolean, `e`, `f` and `d` are numbers. The other letters are
 * integers: unpacked as a number if it is safe (at most 2^53 - 1 in magnitude), else as a bigint.
 */
export type StructValue = number | bigint | boolean | Uint8Array

/** Thrown for an invalid format, a value that does not match its letter, and data of the wrong size. */
export class StructError extends Error {
  override name = 'StructError'
}

/** `count` adjacent values of one letter, each `length` bytes long, from byte `offset`. */
export interface StructItem {
  readonly letter: string
  readonly offset: number
  readonly length: number
  readonly count: number
}

/** Layout of a format. Pad bytes and letters repeated zero times count in `size` (alignment), but have no item. */
export interface StructLayout {
  readonly size: number
  readonly littleEndian: boolean
  readonly items: readonly StructItem[]
}

/** Limits of a format: values, repeat counts included (default 8,192), and bytes (default 2^31 - 1). */
export interface StructLimits {
  maxItems?: number
  maxSize?: number
}

interface Codec {
  /** Bytes of one value, and its native alignment: on 64-bit Linux both are equal for every letter. */
  readonly size: number
  /** For `s` and `p` the number before the letter is the length of one value; for others it repeats the letter. */
  readonly countIsLength?: boolean
  read(view: DataView, at: number, little: boolean, item: StructItem): StructValue
  /** `unknown`, since JavaScript callers are not type-checked. */
  write(view: DataView, at: number, little: boolean, item: StructItem, value: unknown): void
}

function toInteger(value: unknown, letter: string, min: number | bigint, max: number | bigint): number | bigint {
  const integer = typeof value === 'boolean' ? Number(value) : value
  const isInteger = typeof integer === 'bigint' || (typeof integer === 'number' && Number.isInteger(integer))
  if (!isInteger || integer < min || integer > max) {
    throw new StructError(`'${letter}' takes an integer from ${min} to ${max}`)
  }
  return integer
}

function toBytes(value: unknown, letter: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new StructError(`'${letter}' takes bytes, as a Buffer or Uint8Array`)
}

function toBoolean(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length > 0
  // Not Boolean(value): NaN counts as true in Python.
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return Number(value) !== 0
  throw new StructError("'?' takes a boolean, a number or bytes")
}

function small(size: number, kind: `${'Int' | 'Uint'}${8 | 16 | 32}`, min: number, max: number): Codec {
  return {
    size,
    read: (view, at, little) => view[`get${kind}` as const](at, little),
    write: (view, at, little, { letter }, value) =>
      view[`set${kind}` as const](at, Number(toInteger(value, letter, min, max)), little),
  }
}

function wide(kind: 'BigInt64' | 'BigUint64', min: bigint, max: bigint): Codec {
  return {
    size: 8,
    read(view, at, little) {
      const exact = view[`get${kind}` as const](at, little)
      const rounded = Number(exact)
      return Number.isSafeInteger(rounded) ? rounded : exact
    },
    write: (view, at, little, { letter }, value) =>
      view[`set${kind}` as const](at, BigInt(toInteger(value, letter, min, max)), little),
  }
}

/** @param limit smallest finite number that would round to infinity; infinity itself is accepted */
function toFloat(value: unknown, letter: string, limit: number): number {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new StructError(`'${letter}' takes a number`)
  const number = Number(value)
  if ((typeof value === 'bigint' || Number.isFinite(number)) && Math.abs(number) >= limit) {
    const bound = Math.min(limit, Number.MAX_VALUE)
    throw new StructError(`float too large: '${letter}' takes numbers between -${bound} and ${bound}`)
  }
  return number
}

function float(size: number, kind: 'Float32' | 'Float64', limit = Number.POSITIVE_INFINITY): Codec {
  return {
    size,
    read: (view, at, little) => view[`get${kind}` as const](at, little),
    write: (view, at, little, { letter }, value) =>
      view[`set${kind}` as const](at, toFloat(value, letter, limit), little),
  }
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24)
}

function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude === Number.POSITIVE_INFINITY) return sign | 0x7c00
  // Below 2^-14 the exponent is fixed: subnormals and zero have the step of the smallest normal numbers.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14)
  // At 2^52 a double has no fraction bits, so the addition rounds half to even.
  const rounded = magnitude / 2 ** (exponent - 10) + 2 ** 52 - 2 ** 52
  // A sum, not a bitwise or: rounding up to the next power of two carries into the exponent.
  return sign | (((exponent + 14) << 10) + rounded)
}

function bytesAt(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length)
}

const INT32 = small(4, 'Int32', -(2 ** 31), 2 ** 31 - 1)
const UINT32 = small(4, 'Uint32', 0, 2 ** 32 - 1)
const INT64 = wide('BigInt64', -(2n ** 63n), 2n ** 63n - 1n)
const UINT64 = wide('BigUint64', 0n, 2n ** 64n - 1n)

const STANDARD: Readonly<Record<string, Codec>> = {
  b: small(1, 'Int8', -128, 127),
  B: small(1, 'Uint8', 0, 255),
  h: small(2, 'Int16', -32_768, 32_767),
  H: small(2, 'Uint16', 0, 65_535),
  i: INT32,
  I: UINT32,
  l: INT32,
  L: UINT32,
  q: INT64,
  Q: UINT64,
  e: {
    size: 2,
    read: (view, at, little) => fromHalf(view.getUint16(at, little)),
    write: (view, at, little, { letter }, value) => view.setUint16(at, toHalf(toFloat(value, letter, 65_520)), little),
  },
  f: float(4, 'Float32', 2 ** 128 - 2 ** 103),
  d: float(8, 'Float64'),
  '?': {
    size: 1,
    read: (view, at) => view.getUint8(at) !== 0,
    write: (view, at, _little, _item, value) => view.setUint8(at, Number(toBoolean(value))),
  },
  c: {
    size: 1,
    read: (view, at) => bytesAt(view, at, 1).slice(),
    write(view, at, _little, { letter }, value) {
      const bytes = toBytes(value, letter)
      if (bytes.length !== 1) throw new StructError("'c' takes exactly one byte")
      bytesAt(view, at, 1).set(bytes)
    },
  },
  s: {
    size: 1,
    countIsLength: true,
    read: (view, at, _little, { length }) => bytesAt(view, at, length).slice(),
    write: (view, at, _little, { letter, length }, value) =>
      bytesAt(view, at, length).set(toBytes(value, letter).subarray(0, length)),
  },
  p: {
    size: 1,
    countIsLength: true,
    read(view, at, _little, { length }) {
      if (length === 0) throw new StructError("'0p' has no room for its length byte and cannot be unpacked")
      return bytesAt(view, at + 1, Math.min(view.getUint8(at), length - 1)).slice()
    },
    write(view, at, _little, { letter, length }, value) {
      const bytes = toBytes(value, letter)
      if (length === 0) return
      const kept = bytes.subarray(0, length - 1)
      // Like Python: bytes beyond the 255 that the length byte can count are written too.
      view.setUint8(at, Math.min(kept.length, 255))
      bytesAt(view, at + 1, kept.length).set(kept)
    },
  },
}

const NATIVE: Readonly<Record<string, Codec>> = {
  ...STANDARD,
  l: INT64,
  L: UINT64,
  n: INT64,
  N: UINT64,
  // Python accepts negative pointers, as two's complement.
  P: wide('BigUint64', -(2n ** 63n), 2n ** 64n - 1n),
  // As a C cast: native 'f' turns numbers that are too large into infinity.
  f: float(4, 'Float32'),
}

function compile(format: string, { maxItems = 8192, maxSize = 2 ** 31 - 1 }: StructLimits = {}) {
  const prefix = /^[@=<>!]/.exec(format)?.[0] ?? ''
  const native = prefix === '' || prefix === '@'
  const codecs = native ? NATIVE : STANDARD
  const fields: { item: StructItem; codec: Codec }[] = []
  let size = 0
  let valueCount = 0
  // Python's white space, not \s. It may not follow a count: there it matches as a letter, which is refused.
  for (const [, digits, letter] of format.slice(prefix.length).matchAll(/[ \t\n\v\f\r]+|(\d*)(\D?)/gu)) {
    if (!digits && !letter) continue
    if (!letter) throw new StructError('the count at the end of the format has no letter')
    const codec = codecs[letter]
    if (!codec && letter !== 'x') {
      throw new StructError(`'${letter}' is not a letter of ${native ? 'native' : `'${prefix}'`} formats`)
    }
    const number = digits ? Number(digits) : 1
    const unit = codec?.size ?? 1
    const offset = native ? Math.ceil(size / unit) * unit : size
    size = offset + number * unit
    if (size > maxSize) throw new StructError(`'${letter}' takes the format past ${maxSize} bytes`)
    if (!codec) continue
    const [length, count] = codec.countIsLength ? [number, 1] : [unit, number]
    valueCount += count
    if (valueCount > maxItems) throw new StructError(`'${letter}' takes the format past ${maxItems} values`)
    if (count > 0) fields.push({ item: { letter, offset, length, count }, codec })
  }
  return { size, littleEndian: prefix !== '>' && prefix !== '!', valueCount, fields }
}

/**
 * Parses a format of Python's `struct` module (CPython 3.11 on 64-bit little-endian Linux); repeat counts allocate
 * nothing. Call this with lower limits before packing or unpacking an untrusted format.
 * @throws StructError for an unknown letter, a count without a letter, and a format beyond the limits
 */
export function parseFormat(format: string, options?: StructLimits): StructLayout {
  const { size, littleEndian, fields } = compile(format, options)
  return { size, littleEndian, items: fields.map(({ item }) => item) }
}

/** Bytes of a format, under the default limits. @throws StructError as parseFormat */
export function calcSize(format: string): number {
  return compile(format).size
}

/**
 * Packs values, one per letter of the format, under the default limits. `s` and `p` truncate bytes that are too long.
 * @throws StructError for an invalid format, a wrong number of values, and a value of the wrong type or out of range
 */
export function pack(format: string, values: readonly StructValue[]): Buffer {
  const { size, littleEndian, valueCount, fields } = compile(format)
  if (values.length !== valueCount) throw new StructError(`the format takes ${valueCount} values, not ${values.length}`)
  const packed = Buffer.alloc(size)
  const view = new DataView(packed.buffer, packed.byteOffset, size)
  let next = 0
  for (const { item, codec } of fields) {
    for (let index = 0; index < item.count; index++) {
      codec.write(view, item.offset + index * item.length, littleEndian, item, values[next++])
    }
  }
  return packed
}

/**
 * Unpacks data into values that share no memory with it, under the default limits.
 * @throws StructError for an invalid format, data of another size than the format, and `0p`, which can only be packed
 */
export function unpack(format: string, data: Uint8Array): StructValue[] {
  const { size, littleEndian, fields } = compile(format)
  if (data.length !== size) throw new StructError(`the format takes ${size} bytes, not ${data.length}`)
  const view = new DataView(data.buffer, data.byteOffset, size)
  return fields.flatMap(({ item, codec }) =>
    Array.from({ length: item.count }, (_, i) => codec.read(view, item.offset + i * item.length, littleEndian, item)),
  )
}
