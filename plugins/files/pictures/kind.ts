import { rewriteGif } from './gif.ts'
import { rewriteHeif } from './heif.ts'
import { rewriteJpeg } from './jpeg.ts'
import { rewritePng } from './png.ts'
import type { Rewrite } from './rewrite.ts'
import { latin, Reader, type Source } from './source.ts'
import { rewriteWebp } from './webp.ts'

interface Kind {
  readonly type: string
  /** Whether browsers show it and no program can hide in it. SVG, HTML and PDF are no kinds. */
  readonly inline: boolean
  readonly rewrite: (reader: Reader) => Promise<Rewrite>
}

export interface Picture extends Rewrite {
  readonly type: string
  readonly inline: boolean
}

/** Pixels of a picture that is shown or decoded; larger ones are kept, but only to be fetched. */
export const MAX_PIXELS = 50_000_000

const JPEG: Kind = { type: 'image/jpeg', inline: true, rewrite: rewriteJpeg }
const PNG: Kind = { type: 'image/png', inline: true, rewrite: rewritePng }
const GIF: Kind = { type: 'image/gif', inline: true, rewrite: rewriteGif }
const WEBP: Kind = { type: 'image/webp', inline: true, rewrite: rewriteWebp }
const AVIF: Kind = { type: 'image/avif', inline: true, rewrite: rewriteHeif }
const HEIC: Kind = { type: 'image/heic', inline: false, rewrite: rewriteHeif }

/** Bytes from the begin that tell the kind. */
export const HEAD_BYTES = 256

/** The kind of picture that these first bytes claim to be. */
function kindOf(head: Uint8Array): Kind | undefined {
  const text = latin(head)
  if (text.startsWith('\xff\xd8\xff')) return JPEG
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return PNG
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return GIF
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return WEBP
  if (!text.startsWith('ftyp', 4)) return undefined
  const brands = text.slice(8, Math.min(text.length, (head[2] ?? 0) * 256 + (head[3] ?? 0)))
  if (/^(....)*?avi[fs]/s.test(brands)) return AVIF
  return /^(....)*?(hei[cxms]|hev[cxms]|mif1)/s.test(brands) ? HEIC : undefined
}

/**
 * The picture that the bytes are, without its metadata; undefined if they are none. Nothing is decoded, and no more than
 * a window of the source is in memory.
 * @throws PictureRefused if they begin as a picture but are broken, or hold metadata that cannot be removed
 */
export async function readPicture(source: Source): Promise<Picture | undefined> {
  const reader = new Reader(source)
  const kind = kindOf(await reader.peek(HEAD_BYTES))
  if (kind === undefined) return undefined
  const { pieces, width, height, inline = kind.inline } = await kind.rewrite(reader)
  return { type: kind.type, inline: inline && width * height <= MAX_PIXELS, pieces, width, height }
}
