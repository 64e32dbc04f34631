import { isUtf8 } from 'node:buffer'
import { WireError } from './errors.ts'
import { type Field, isLine, type ScalarKind } from './field.ts'

/** Reading and writing one value of a native message: network order, no padding. */
interface Scalar {
  /** Bytes on the wire; undefined for the `Ns` kinds, whose length is in the format. */
  readonly size: number | undefined
  read(data: Buffer, offset: number, length: number): unknown
  write(data: Buffer, offset: number, value: never): void
}

function readUtf8(data: Buffer, offset: number, length: number): string {
  const slice = data.subarray(offset, offset + length)
  if (!isUtf8(slice)) throw new WireError('value', 'not UTF-8')
  return slice.toString('utf8')
}

const utf8: Scalar = {
  size: undefined,
  read: readUtf8,
  write: (data, offset, value: string) => data.write(value, offset, 'utf8'),
}

export const SCALARS: Record<ScalarKind, Scalar> = {
  bool: {
    size: 1,
    read: (data, offset) => data[offset] !== 0,
    write: (data, offset, value: boolean) => data.writeUInt8(value ? 1 : 0, offset),
  },
  uint8: {
    size: 1,
    read: (data, offset) => data.readUInt8(offset),
    write: (data, offset, value: number) => data.writeUInt8(value, offset),
  },
  uint16: {
    size: 2,
    read: (data, offset) => data.readUInt16BE(offset),
    write: (data, offset, value: number) => data.writeUInt16BE(value, offset),
  },
  uint32: {
    size: 4,
    read: (data, offset) => data.readUInt32BE(offset),
    write: (data, offset, value: number) => data.writeUInt32BE(value, offset),
  },
  uint64: {
    size: 8,
    // A value above 2^53 is rounded here, and then refused by the field's own limit.
    read: (data, offset) => data.readUInt32BE(offset) * 2 ** 32 + data.readUInt32BE(offset + 4),
    write: (data, offset, value: number) => {
      data.writeUInt32BE(Math.floor(value / 2 ** 32), offset)
      data.writeUInt32BE(value % 2 ** 32, offset + 4)
    },
  },
  int8: {
    size: 1,
    read: (data, offset) => data.readInt8(offset),
    write: (data, offset, value: number) => data.writeInt8(value, offset),
  },
  int16: {
    size: 2,
    read: (data, offset) => data.readInt16BE(offset),
    write: (data, offset, value: number) => data.writeInt16BE(value, offset),
  },
  int32: {
    size: 4,
    read: (data, offset) => data.readInt32BE(offset),
    write: (data, offset, value: number) => data.writeInt32BE(value, offset),
  },
  int64: {
    size: 8,
    read: (data, offset) => Number(data.readBigInt64BE(offset)),
    write: (data, offset, value: number) => data.writeBigInt64BE(BigInt(value), offset),
  },
  float64: {
    size: 8,
    read: (data, offset) => data.readDoubleBE(offset),
    write: (data, offset, value: number) => data.writeDoubleBE(value, offset),
  },
  line: utf8,
  text: utf8,
  bytes: {
    size: undefined,
    // A copy: the frame is a view of a buffer that the next record overwrites or keeps alive.
    read: (data, offset, length) => Buffer.from(data.subarray(offset, offset + length)),
    write: (data, offset, value: Uint8Array) => data.set(value, offset),
  },
}

/** Checks a value that is to be sent and returns its length in bytes. Throws WireError `value`. */
export function measure(field: Field, value: unknown): number {
  switch (field.kind) {
    case 'bool':
      if (typeof value !== 'boolean') throw new WireError('value', 'needs true or false')
      return 1
    case 'line':
    case 'text': {
      if (typeof value !== 'string') throw new WireError('value', 'needs text')
      if (!value.isWellFormed()) throw new WireError('value', 'holds half a surrogate pair')
      const length = Buffer.byteLength(value)
      checkLength(field, length)
      checkLine(field, value)
      return length
    }
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw new WireError('value', 'needs bytes')
      checkLength(field, value.length)
      return value.length
    default:
      if (typeof value !== 'number') throw new WireError('value', 'needs a number')
      if (field.kind !== 'float64' && !Number.isInteger(value)) throw new WireError('value', 'needs a whole number')
      checkRange(field, value)
      return SCALARS[field.kind].size as number
  }
}

/** Checks a value that has come in against its field's limits. Throws WireError `value`. */
export function checkReceived(field: Field, value: unknown, length: number) {
  if (typeof value === 'number') checkRange(field, value)
  else if (typeof value !== 'boolean') checkLength(field, length)
  if (typeof value === 'string') checkLine(field, value)
}

function checkRange(field: Field, value: number) {
  // Written so that NaN fails too.
  if (!(value >= field.min && value <= field.max))
    throw new WireError('value', `must be from ${field.min} to ${field.max}`)
}

function checkLength(field: Field, length: number) {
  if (length > field.max) throw new WireError('value', `is ${length} bytes long, at most ${field.max} are allowed`)
  if (length < field.min) throw new WireError('value', length === 0 ? 'is empty' : `needs at least ${field.min} bytes`)
}

function checkLine(field: Field, value: string) {
  if (field.kind === 'line' && !isLine(value)) throw new WireError('value', 'holds a control character')
}
