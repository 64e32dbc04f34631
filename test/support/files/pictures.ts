import sharp, { type Sharp } from 'sharp'
import { bytesSource, PictureRefused, rewritten, type Source } from '../../../plugins/files/pictures/index.ts'
import { type Picture, readPicture } from '../../../plugins/files/pictures/kind.ts'

export const FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const
export type Format = (typeof FORMATS)[number]

export const PLACE = 'Sternwarte Bogenhausen'
/** 48/1 8/1 4512/100 north, as the bytes of three fractions in both orders. */
const LATITUDE = [48, 1, 8, 1, 4512, 100]
export const POSITIONS = [true, false].map((isLittle) => {
  const view = new DataView(new ArrayBuffer(LATITUDE.length * 4))
  for (const [index, number] of LATITUDE.entries()) view.setUint32(index * 4, number, isLittle)
  return Buffer.from(view.buffer)
})

/** A picture of two colours, wider than high, so that a wrong orientation or colour shows. */
export function drawing(width = 60, height = 40): Sharp {
  const corner = {
    create: { width: Math.ceil(width / 3), height: Math.ceil(height / 4), channels: 3, background: '#1020f0' },
  } as const
  return sharp({ create: { width, height, channels: 3, background: '#c04020' } }).composite([
    { input: corner, left: 0, top: 0 },
  ])
}

/** A photo as a telephone takes it: with its position, lying on its side, with a colour profile, and XMP. */
export function photo(format: Format, width?: number, height?: number): Promise<Buffer> {
  const exif = {
    IFD0: { ImageDescription: PLACE },
    IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 8/1 4512/100' },
  }
  const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/">${PLACE}</x:xmpmeta>`
  return (
    drawing(width, height)
      .withMetadata({ orientation: 6 })
      .withExifMerge(exif)
      .withIccProfile('p3')
      .withXmp(xmp)
      // With little effort: the encoders for AVIF and WebP take seconds otherwise.
      .toFormat(format, format === 'avif' || format === 'webp' ? { effort: 0 } : {})
      .toBuffer()
  )
}

export interface Rewritten extends Picture {
  readonly bytes: Buffer
}

/** The picture without metadata; undefined for what is no picture. */
export async function rewrite(bytes: Uint8Array | Source): Promise<Rewritten | undefined> {
  const source = bytes instanceof Uint8Array ? bytesSource(bytes) : bytes
  const picture = await readPicture(source)
  if (picture === undefined) return undefined
  const chunks: Uint8Array[] = []
  for await (const chunk of rewritten(source, picture.pieces)) chunks.push(chunk)
  return { ...picture, bytes: Buffer.concat(chunks) }
}

/** The same, or the name of the fault for which it is refused. */
export async function outcome(bytes: Uint8Array) {
  try {
    return await rewrite(bytes)
  } catch (error) {
    if (error instanceof PictureRefused) return error.fault
    throw error
  }
}

/** The pixels of a picture, all its pages, as sharp decodes them. */
export const pixels = (bytes: Uint8Array) => sharp(bytes, { animated: true }).autoOrient().raw().toBuffer()

/** A chunk of a PNG; its check sum is zero. */
export function pngChunk(name: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt32BE(data.length)
  bytes.write(name, 4, 'latin1')
  bytes.set(data, 8)
  return bytes
}

/** A segment of a JPEG. */
export function jpegSegment(marker: number, data: Uint8Array | string): Buffer {
  const payload = Buffer.from(data as string, 'latin1')
  return Buffer.concat([Buffer.of(0xff, marker, (payload.length + 2) >> 8, (payload.length + 2) & 0xff), payload])
}

/** These bytes put in at a place. */
export const inserted = (bytes: Uint8Array, at: number, ...parts: Uint8Array[]) =>
  Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(at)])

/** The begin of a PNG of these dimensions, and no more of it than its decoder needs to believe them. */
export function pngBomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  const data = pngChunk('IDAT', Buffer.from('789c0300000000010001', 'hex'))
  return Buffer.concat([signature, pngChunk('IHDR', header), data, pngChunk('IEND', Buffer.alloc(0))])
}
