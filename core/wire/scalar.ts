import { Buffer, readUtf8 } from '#platform/runtime'
import { WireError } from './errors.ts'
import { type Field, isLine, type ScalarKind } from './field.ts'

/** Bytes on the wire by kind, in network order without padding; undefined for kinds whose length is in the format. */
export const SIZES: Record<ScalarKind, number | undefined> = {
  bool: 1,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  line: undefined,
  text: undefined,
  bytes: undefined,
  oneOf: undefined,
}

/** Longest text that is processed byte by byte in JavaScript: up to here that is faster than a native call. */
const SHORT_TEXT_BYTES = 128
/** Length from which bytes are a view of their frame. */
const LONG_BYTES = 16 * 1024

/** Reads a value other than text, without checking it. */
export function readScalar(kind: ScalarKind, bytes: Buffer, at: number, length: number): unknown {
  switch (kind) {
    case 'bool':
      return bytes[at] !== 0
    case 'uint8':
      return bytes[at]
    case 'uint16':
      return bytes.readUInt16BE(at)
    case 'uint32':
      return bytes.readUInt32BE(at)
    case 'uint64':
      // A value above 2^53 is rounded here, and then refused by the field's limit.
      return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
    case 'int8':
      return bytes.readInt8(at)
    case 'int16':
      return bytes.readInt16BE(at)
    case 'int32':
      return bytes.readInt32BE(at)
    case 'int64':
      return Number(bytes.readBigInt64BE(at))
    case 'float64':
      return bytes.readDoubleBE(at)
    default:
      // A copy: a view would keep the whole buffer of the frame alive. Long bytes are most of their frame.
      return length < LONG_BYTES ? Buffer.from(bytes.subarray(at, at + length)) : bytes.subarray(at, at + length)
  }
}

/** Writes a value other than text, checked by `measure`. */
export function writeScalar(kind: ScalarKind, bytes: Buffer, at: number, value: unknown) {
  switch (kind) {
    case 'bool':
      bytes[at] = value ? 1 : 0
      break
    case 'uint8':
      bytes[at] = value as number
      break
    case 'uint16':
      bytes.writeUInt16BE(value as number, at)
      break
    case 'uint32':
      bytes.writeUInt32BE(value as number, at)
      break
    case 'uint64':
      bytes.writeUInt32BE(Math.floor((value as number) / 2 ** 32), at)
      bytes.writeUInt32BE((value as number) % 2 ** 32, at + 4)
      break
    case 'int8':
      bytes.writeInt8(value as number, at)
      break
    case 'int16':
      bytes.writeInt16BE(value as number, at)
      break
    case 'int32':
      bytes.writeInt32BE(value as number, at)
      break
    case 'int64':
      bytes.writeBigInt64BE(BigInt(value as number), at)
      break
    case 'float64':
      bytes.writeDoubleBE(value as number, at)
      break
    default:
      bytes.set(value as Uint8Array, at)
  }
}

/** Reads and checks a text. @throws WireError `value` */
export function readText(field: Field, bytes: Buffer, at: number, length: number): string {
  const end = at + length
  if (length <= SHORT_TEXT_BYTES && isPlain(bytes, at, end)) {
    checkLength(field, length)
    const value = bytes.toString('latin1', at, end)
    if (field.kind === 'oneOf') checkOneOf(field, value)
    return value
  }
  const value = readUtf8(bytes, at, end)
  if (value === undefined) throw new WireError('value', 'not UTF-8')
  checkLength(field, length)
  if (field.kind === 'oneOf') checkOneOf(field, value)
  checkLine(field, value)
  return value
}

/** Writes a text. @param length its bytes, as measured */
export function writeText(bytes: Buffer, at: number, value: string, length: number) {
  if (length === value.length && length <= SHORT_TEXT_BYTES)
    for (let index = 0; index < length; index++) bytes[at + index] = value.charCodeAt(index)
  else bytes.write(value, at, 'utf8')
}

/** Whether all bytes are printable ASCII: one byte per character, allowed in any field. */
function isPlain(bytes: Buffer, at: number, end: number): boolean {
  for (let index = at; index < end; index++) {
    const byte = bytes[index] as number
    if (byte < 0x20 || byte > 0x7e) return false
  }
  return true
}

function isPlainText(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}

/** Checks a value to send and returns its length in bytes. @throws WireError `value` */
export function measure(field: Field, value: unknown): number {
  switch (field.kind) {
    case 'bool':
      if (typeof value !== 'boolean') throw new WireError('value', 'needs true or false')
      return 1
    case 'line':
    case 'text': {
      if (typeof value !== 'string') throw new WireError('value', 'needs text')
      if (value.length <= SHORT_TEXT_BYTES && isPlainText(value)) {
        checkLength(field, value.length)
        return value.length
      }
      if (!value.isWellFormed()) throw new WireError('value', 'contains a lone surrogate')
      const length = Buffer.byteLength(value)
      checkLength(field, length)
      checkLine(field, value)
      return length
    }
    case 'oneOf':
      if (typeof value !== 'string') throw new WireError('value', 'needs text')
      checkOneOf(field, value)
      return Buffer.byteLength(value)
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw new WireError('value', 'needs bytes')
      checkLength(field, value.length)
      return value.length
    default:
      if (typeof value !== 'number') throw new WireError('value', 'needs a number')
      if (field.kind !== 'float64' && !Number.isInteger(value)) throw new WireError('value', 'needs an integer')
      checkRange(field, value)
      return SIZES[field.kind] as number
  }
}

/** Checks a received value against its field's limits. @throws WireError `value` */
export function checkReceived(field: Field, value: unknown, length: number) {
  if (typeof value === 'number') checkRange(field, value)
  else if (typeof value !== 'boolean') checkLength(field, length)
  if (typeof value === 'string') checkLine(field, value)
}

function checkRange(field: Field, value: number) {
  // Negated so that NaN fails too.
  if (!(value >= field.min && value <= field.max))
    throw new WireError('value', `must be from ${field.min} to ${field.max}`)
}

/** Throws WireError `value`, which names the values that there are. */
export function checkOneOf({ values = [] }: Field, value: string) {
  if (values.includes(value)) return
  const known = values.map((one) => (one === '' ? 'empty' : one)).join(', ')
  throw new WireError('value', `must be one of ${known}`)
}

function checkLength(field: Field, length: number) {
  if (length > field.max) throw new WireError('value', `is ${length} bytes long, at most ${field.max} are allowed`)
  if (length < field.min) throw new WireError('value', length === 0 ? 'is empty' : `needs at least ${field.min} bytes`)
}

function checkLine(field: Field, value: string) {
  if (field.kind === 'line' && !isLine(value)) throw new WireError('value', 'contains a control character')
}
