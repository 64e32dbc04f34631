import { EXIF_HEAD_BYTES, exifOf, orientationOf, upright } from './exif.ts'
import { Pieces } from './pieces.ts'
import { malformed } from './refusal.ts'
import type { Rewrite } from './rewrite.ts'
import { latin, type Reader, viewOf } from './source.ts'

/** What a decoder needs, animation included. Not the texts, the time, the Exif, and what is unknown. */
const KEPT = new Set(
  'IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL fcTL fdAT'.split(' '),
)

/** @throws PictureRefused */
export async function rewritePng(reader: Reader): Promise<Rewrite> {
  const pieces = new Pieces()
  reader.skip(8)
  pieces.keep(0, 8)
  const { width, height } = await header(reader, pieces)
  let orientation: number | undefined
  let hasData = false
  for (;;) {
    reader.countPart()
    const start = reader.at
    const head = await reader.take(8)
    const [length, name] = [viewOf(head).getUint32(0), latin(head, 4)]
    if (length > 0x7fffffff || !/^[A-Za-z]{4}$/.test(name)) throw malformed('the PNG has a broken chunk')
    if (name === 'eXIf' && orientation === undefined) {
      orientation = orientationOf(await reader.peek(Math.min(length, EXIF_HEAD_BYTES)))
      const exif = exifOf(orientation)
      if (exif !== undefined) pieces.add(chunkOf('eXIf', exif))
    }
    reader.skip(length + 4)
    if (KEPT.has(name)) pieces.keep(start, 12 + length)
    if (name === 'IDAT') hasData = true
    if (name === 'IEND') break
  }
  if (!hasData) throw malformed('the PNG has no picture')
  return { pieces, ...upright(width, height, orientation ?? 1) }
}

async function header(reader: Reader, pieces: Pieces) {
  const start = reader.at
  const chunk = await reader.take(25)
  const view = viewOf(chunk)
  if (view.getUint32(0) !== 13 || latin(chunk, 4, 8) !== 'IHDR')
    throw malformed('the PNG does not begin with its header')
  const [width, height] = [view.getUint32(8), view.getUint32(12)]
  if (width === 0 || height === 0 || width > 0x7fffffff || height > 0x7fffffff)
    throw malformed('the PNG has impossible dimensions')
  pieces.keep(start, chunk.length)
  return { width, height }
}

function chunkOf(name: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length)
  const view = viewOf(bytes)
  view.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(name), 4)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}

/** CRC-32 of PNG, bit by bit: it is needed for 30 bytes. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
