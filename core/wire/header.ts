import { WireError } from './errors.ts'

/** Layer 2, `!LLL`: type, length of the format, length of the data. */
export const HEADER_BYTES = 12

/** What a receiver takes, checked on the header before anything is kept. In bytes; `values` is a count. */
export interface MessageLimits {
  /** Header, format and data together. */
  readonly message: number
  readonly format: number
  /** Values in one message, a list's count and all its groups included. */
  readonly values: number
}

/** A message as it came in: where its format and its data are in a stretch of bytes, nothing of it looked at yet. */
export interface Frame {
  readonly type: number
  readonly bytes: Buffer
  /** Where the format begins. */
  readonly format: number
  /** Where the format ends and the data begins. */
  readonly data: number
  readonly end: number
}

export interface Header {
  readonly type: number
  readonly formatLength: number
  readonly dataLength: number
}

/** Reads a header; throws WireError `oversized` when the message it announces is more than `limits` allow. */
export function readHeader(bytes: Buffer, offset: number, limits: MessageLimits): Header {
  const formatLength = bytes.readUInt32BE(offset + 4)
  const dataLength = bytes.readUInt32BE(offset + 8)
  if (formatLength > limits.format) throw new WireError('oversized', `a format of ${formatLength} bytes`)
  const total = HEADER_BYTES + formatLength + dataLength
  if (total > limits.message) throw new WireError('oversized', `a message of ${total} bytes`)
  return { type: bytes.readUInt32BE(offset), formatLength, dataLength }
}
