import type { Frame } from '../../../core/index.ts'

/** A frame of an arbitrary format and data. */
export function frame(type: number, format: string | Buffer, data: Buffer): Frame {
  const bytes = Buffer.concat([Buffer.from(format), data])
  const at = bytes.length - data.length
  return { type, bytes, format: 0, data: at, end: bytes.length }
}

export const formatOf = ({ bytes, format, data }: Frame) => bytes.toString('latin1', format, data)

export const dataOf = ({ bytes, data, end }: Frame) => bytes.subarray(data, end)
