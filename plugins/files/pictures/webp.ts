import { EXIF_HEAD_BYTES, exifOf, type Orientation, orientationOf, upright } from './exif.ts'
import { Pieces } from './pieces.ts'
import { malformed } from './refusal.ts'
import type { Rewrite } from './rewrite.ts'
import { latin, type Reader, truncated, viewOf } from './source.ts'

const KEPT = new Set(['ICCP', 'ANIM', 'ANMF', 'ALPH', 'VP8 ', 'VP8L'])
const HAS_EXIF = 0b1000
const HAS_XMP = 0b0100

interface Chunk {
  readonly name: string
  /** Position of the chunk's head, and bytes of it with its data and padding. */
  readonly at: number
  readonly bytes: number
}

interface Found {
  readonly kept: Chunk[]
  extended?: { readonly flags: number; readonly canvas: Uint8Array }
  size?: { readonly width: number; readonly height: number }
  orientation?: Orientation
}

/** Without Exif (but for the orientation), XMP and unknown chunks; flags and lengths fit again. @throws PictureRefused */
export async function rewriteWebp(reader: Reader): Promise<Rewrite> {
  const found = await chunks(reader)
  const { kept, extended, size, orientation = 1 } = found
  if (size === undefined || !kept.some(({ name }) => name === 'VP8 ' || name === 'VP8L' || name === 'ANMF'))
    throw malformed('the WebP has no picture')
  const exif = extended === undefined ? undefined : exifOf(orientation)
  const body = kept.reduce((sum, { bytes }) => sum + bytes, 0)
  const pieces = new Pieces()
  pieces.add(riff(4 + (extended ? 18 : 0) + body + (exif ? 8 + exif.length : 0)))
  if (extended !== undefined) {
    const flags = (extended.flags & ~(HAS_EXIF | HAS_XMP)) | (exif ? HAS_EXIF : 0)
    pieces.add(chunkOf('VP8X', [flags, 0, 0, 0, ...extended.canvas]))
  }
  for (const { at, bytes } of kept) pieces.keep(at, bytes)
  if (exif !== undefined) pieces.add(chunkOf('EXIF', [...exif]))
  // Chromium shows a WebP as it lies, whatever its orientation.
  return { pieces, ...upright(size.width, size.height, exif ? orientation : 1), inline: exif === undefined }
}

async function chunks(reader: Reader): Promise<Found> {
  const end = 8 + viewOf(await reader.take(12)).getUint32(4, true)
  if (end > reader.source.size) throw truncated()
  const found: Found = { kept: [] }
  while (reader.at + 8 <= end) {
    reader.countPart()
    const at = reader.at
    const head = await reader.take(8)
    const [name, length] = [latin(head, 0, 4), viewOf(head).getUint32(4, true)]
    const padded = length + (length % 2)
    if (reader.at + length > end) throw malformed('the WebP has a chunk that is longer than the picture')
    await look(reader, name, length, found)
    reader.at = at
    reader.skip(8 + padded)
    if (KEPT.has(name)) found.kept.push({ name, at, bytes: 8 + padded })
  }
  return found
}

/** Reads what matters of a chunk: dimensions, flags, orientation. */
async function look(reader: Reader, name: string, length: number, found: Found) {
  if (name === 'VP8X' && found.extended === undefined) {
    const data = await reader.take(Math.min(length, 10))
    if (data.length < 10) throw malformed('the WebP has a broken header')
    found.extended = { flags: data[0] ?? 0, canvas: data.slice(4, 10) }
    found.size = { width: 1 + uint24(data, 4), height: 1 + uint24(data, 7) }
  } else if (name === 'VP8 ' || name === 'VP8L') {
    const data = await reader.take(Math.min(length, 10))
    found.size ??= name === 'VP8 ' ? lossySize(data) : losslessSize(data)
  } else if (name === 'EXIF' && found.orientation === undefined) {
    const data = await reader.peek(Math.min(length, EXIF_HEAD_BYTES))
    found.orientation = orientationOf(latin(data, 0, 6) === 'Exif\0\0' ? data.subarray(6) : data)
  }
}

const uint24 = (bytes: Uint8Array, at: number) =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)

function lossySize(data: Uint8Array) {
  if (data.length < 10 || uint24(data, 3) !== 0x2a019d) throw malformed('the WebP has a broken picture')
  const view = viewOf(data)
  return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff }
}

function losslessSize(data: Uint8Array) {
  if (data.length < 5 || data[0] !== 0x2f) throw malformed('the WebP has a broken picture')
  const bits = viewOf(data).getUint32(1, true)
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
}

/** @param length bytes after the length field */
function riff(length: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes.set(new TextEncoder().encode('RIFF'))
  viewOf(bytes).setUint32(4, length, true)
  bytes.set(new TextEncoder().encode('WEBP'), 8)
  return bytes
}

/** @param data of even length: needs no padding */
function chunkOf(name: string, data: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 + data.length)
  bytes.set(new TextEncoder().encode(name))
  viewOf(bytes).setUint32(4, data.length, true)
  bytes.set(data, 8)
  return bytes
}
