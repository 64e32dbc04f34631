import { exifOf, type Orientation, orientationOf, upright } from './exif.ts'
import { Pieces } from './pieces.ts'
import { malformed } from './refusal.ts'
import type { Rewrite } from './rewrite.ts'
import { latin, type Reader, viewOf } from './source.ts'

const [SOI, EOI, SOS, TEM] = [0xd8, 0xd9, 0xda, 0x01]
const [DHT, JPG, DAC] = [0xc4, 0xc8, 0xcc]
const [APP0, APP1, APP2, APP14, APP15, COM] = [0xe0, 0xe1, 0xe2, 0xee, 0xef, 0xfe]

const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![DHT, JPG, DAC].includes(marker)
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7

interface Found {
  readonly pieces: Pieces
  frame?: { readonly width: number; readonly height: number }
  orientation?: Orientation
  hasScan: boolean
}

/**
 * A JPEG without metadata: of the application segments, those that a decoder needs (JFIF, the colour profile, Adobe's
 * colour transform) and an Exif that holds the orientation. Ends at the end of the picture: what follows is dropped.
 * @throws PictureRefused
 */
export async function rewriteJpeg(reader: Reader): Promise<Rewrite> {
  const found: Found = { pieces: new Pieces(), hasScan: false }
  reader.skip(2)
  found.pieces.add(Uint8Array.of(0xff, SOI))
  for (;;) {
    const marker = await nextMarker(reader)
    if (marker === EOI) break
    if (marker === TEM || isRestart(marker)) continue
    if (marker === 0 || marker < 0xc0 || marker === SOI) throw malformed('the JPEG has a marker where none may be')
    await segment(reader, marker, found)
  }
  found.pieces.add(Uint8Array.of(0xff, EOI))
  const { frame, orientation = 1, pieces, hasScan } = found
  if (frame === undefined || !hasScan) throw malformed('the JPEG has no picture')
  return { pieces, ...upright(frame.width, frame.height, orientation) }
}

async function nextMarker(reader: Reader): Promise<number> {
  if ((await reader.byte()) !== 0xff) throw malformed('the JPEG has bytes between its segments')
  let marker = 0xff
  while (marker === 0xff) {
    reader.countPart()
    marker = await reader.byte()
  }
  return marker
}

async function segment(reader: Reader, marker: number, found: Found) {
  const start = reader.at - 2
  const length = viewOf(await reader.take(2)).getUint16(0)
  if (length < 2) throw malformed('the JPEG has a segment of an impossible length')
  const payload = await reader.take(length - 2)
  if ((marker >= APP0 && marker <= APP15) || marker === COM) return application(marker, payload, start, found)
  found.pieces.keep(start, 2 + length)
  if (isFrame(marker)) frame(payload, found)
  if (marker !== SOS) return
  found.hasScan = true
  const data = reader.at
  await skipScan(reader)
  found.pieces.keep(data, reader.at - data)
}

function frame(payload: Uint8Array, found: Found) {
  if (payload.length < 6) throw malformed('the JPEG has a frame without dimensions')
  const view = viewOf(payload)
  const [height, width] = [view.getUint16(1), view.getUint16(3)]
  if (width === 0 || height === 0) throw malformed('the JPEG has no dimensions')
  found.frame ??= { width, height }
}

/** Moves to the marker after the compressed data. */
async function skipScan(reader: Reader) {
  for (;;) {
    const bytes = await reader.window(2)
    let at = bytes.indexOf(0xff)
    while (at >= 0 && at + 1 < bytes.length) {
      const after = bytes[at + 1] ?? 0
      if (after === 0xff) at++
      else if (after === 0 || isRestart(after)) at = bytes.indexOf(0xff, at + 2)
      else return reader.skip(at)
    }
    reader.skip(at < 0 ? bytes.length : at)
  }
}

function application(marker: number, payload: Uint8Array, start: number, found: Found) {
  const begins = (name: string) => latin(payload, 0, name.length) === name
  // Without the little picture that JFIF may carry: it shows what the large one showed before it was cut.
  if (marker === APP0 && begins('JFIF\0') && payload.length >= 14) {
    found.pieces.add(segmentOf(APP0, [...payload.subarray(0, 12), 0, 0]))
  } else if (marker === APP1 && begins('Exif\0\0') && found.orientation === undefined) {
    found.orientation = orientationOf(payload.subarray(6))
    const exif = exifOf(found.orientation)
    if (exif !== undefined) found.pieces.add(segmentOf(APP1, [...payload.subarray(0, 6), ...exif]))
  } else if (marker === APP2 && begins('ICC_PROFILE\0')) {
    found.pieces.keep(start, 4 + payload.length)
  } else if (marker === APP14 && begins('Adobe') && payload.length >= 12) {
    found.pieces.add(segmentOf(APP14, [...payload.subarray(0, 12)]))
  }
}

function segmentOf(marker: number, payload: readonly number[]): Uint8Array {
  const length = payload.length + 2
  return Uint8Array.of(0xff, marker, length >> 8, length & 0xff, ...payload)
}
