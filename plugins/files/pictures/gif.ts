import { Pieces } from './pieces.ts'
import { malformed } from './refusal.ts'
import type { Rewrite } from './rewrite.ts'
import { latin, type Reader, viewOf } from './source.ts'

const [IMAGE, EXTENSION, TRAILER] = [0x2c, 0x21, 0x3b]
const [GRAPHIC_CONTROL, APPLICATION] = [0xf9, 0xff]

/** Applications whose extension a decoder needs: the loop of an animation, and the colour profile. */
const KEPT = new Set(['NETSCAPE2.0', 'ANIMEXTS1.0', 'ICCRGBG1012'])

/** Bytes of a colour table, whose size is in these flags; 0 without one. */
const tableBytes = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0)

/** Without comments, texts and the data of applications, XMP included. @throws PictureRefused */
export async function rewriteGif(reader: Reader): Promise<Rewrite> {
  const pieces = new Pieces()
  const view = viewOf(await reader.take(13))
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)]
  reader.skip(tableBytes(view.getUint8(10)))
  pieces.keep(0, reader.at)
  let hasImage = false
  for (;;) {
    reader.countPart()
    const start = reader.at
    const kind = await reader.byte()
    if (kind === TRAILER) break
    if (kind !== IMAGE && kind !== EXTENSION) throw malformed('the GIF has an unknown block')
    const isKept = kind === IMAGE ? await image(reader) : await extension(reader)
    if (isKept) pieces.keep(start, reader.at - start)
    hasImage ||= kind === IMAGE
  }
  if (!hasImage || width === 0 || height === 0) throw malformed('the GIF has no picture')
  pieces.add(Uint8Array.of(TRAILER))
  return { pieces, width, height }
}

async function image(reader: Reader): Promise<true> {
  const descriptor = await reader.take(9)
  // The table, and one byte: the size of the first code.
  reader.skip(tableBytes(descriptor[8] ?? 0) + 1)
  await skipBlocks(reader)
  return true
}

/** Whether the extension is one that a decoder needs. */
async function extension(reader: Reader): Promise<boolean> {
  const label = await reader.byte()
  const isKept = label === GRAPHIC_CONTROL || (label === APPLICATION && KEPT.has(latin(await reader.peek(12), 1)))
  await skipBlocks(reader)
  return isKept
}

async function skipBlocks(reader: Reader) {
  for (;;) {
    const bytes = await reader.window()
    let at = 0
    while (at < bytes.length) {
      const length = bytes[at] ?? 0
      at += 1 + length
      if (length === 0) return reader.skip(at)
    }
    reader.skip(at)
  }
}
