import { WireError } from './errors.ts'

/** Layer 2, `!LLL`: type, length of the format, length of the data. */
export const HEADER_BYTES = 12

/** Limits of a receiver in bytes, checked on the header before anything is buffered; `values` is a count. */
export interface MessageLimits {
  /** Header, format and data together. */
  readonly message: number
  readonly format: number
  /** Values in one message, a list's count and all its groups included. */
  readonly values: number
}

/** A received message, not decoded: offsets of its format and its data in `bytes`. */
export interface Frame {
  readonly type: number
  readonly bytes: Buffer
  /** Start of the format. */
  readonly format: number
  /** End of the format, and start of the data. */
  readonly data: number
  /** End of the data. */
  readonly end: number
}

export interface Header {
  readonly type: number
  readonly formatLength: number
  readonly dataLength: number
}

/** Reads a header. @throws WireError `oversized` for a message beyond the limits */
export function readHeader(bytes: Buffer, offset: number, limits: MessageLimits): Header {
  const formatLength = bytes.readUInt32BE(offset + 4)
  const dataLength = bytes.readUInt32BE(offset + 8)
  if (formatLength > limits.format) throw new WireError('oversized', `a format of ${formatLength} bytes`)
  const total = HEADER_BYTES + formatLength + dataLength
  if (total > limits.message) throw new WireError('oversized', `a message of ${total} bytes`)
  return { type: bytes.readUInt32BE(offset), formatLength, dataLength }
}
