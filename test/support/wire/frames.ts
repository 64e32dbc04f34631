import type { Frame } from '../../../core/index.ts'

/** A frame made by hand: format and data as a stranger would pack them. */
export function frame(type: number, format: string | Buffer, data: Buffer): Frame {
  const bytes = Buffer.concat([Buffer.from(format), data])
  const at = bytes.length - data.length
  return { type, bytes, format: 0, data: at, end: bytes.length }
}

export const formatOf = ({ bytes, format, data }: Frame) => bytes.toString('latin1', format, data)

export const dataOf = ({ bytes, data, end }: Frame) => bytes.subarray(data, end)
