import { viewOf } from './source.ts'

/** Orientation of EXIF: 1 is upright, 2 to 8 are turned or mirrored. */
export type Orientation = number

const UPRIGHT: Orientation = 1
const TAG = 0x0112
const SHORT = 3

/** Bytes of Exif that are looked into; the orientation is in its first table. */
export const EXIF_HEAD_BYTES = 64 * 1024

/** The orientation in a TIFF structure; upright if it has none or is broken. */
export function orientationOf(tiff: Uint8Array): Orientation {
  if (tiff.length < 14) return UPRIGHT
  const view = viewOf(tiff)
  const order = view.getUint16(0)
  if (order !== 0x4949 && order !== 0x4d4d) return UPRIGHT
  const isLittle = order === 0x4949
  const table = view.getUint32(4, isLittle)
  if (table + 2 > tiff.length) return UPRIGHT
  const count = view.getUint16(table, isLittle)
  for (let index = 0; index < count; index++) {
    const entry = table + 2 + index * 12
    if (entry + 12 > tiff.length) return UPRIGHT
    if (view.getUint16(entry, isLittle) !== TAG) continue
    const value = view.getUint16(entry + 8, isLittle)
    return value >= 1 && value <= 8 ? value : UPRIGHT
  }
  return UPRIGHT
}

/** A TIFF structure that holds an orientation and nothing else; undefined for an upright picture, which needs none. */
export function exifOf(orientation: Orientation): Uint8Array | undefined {
  if (orientation === UPRIGHT) return undefined
  const bytes = new Uint8Array(26)
  const view = viewOf(bytes)
  view.setUint32(0, 0x4d4d002a)
  view.setUint32(4, 8)
  view.setUint16(8, 1)
  view.setUint16(10, TAG)
  view.setUint16(12, SHORT)
  view.setUint32(14, 1)
  view.setUint16(18, orientation)
  return bytes
}

/** Width and height as a reader sees them. */
export function upright(width: number, height: number, orientation: Orientation) {
  return orientation >= 5 ? { width: height, height: width } : { width, height }
}
