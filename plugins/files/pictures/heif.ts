import { BOX_HEAD_BYTES, type Box, boxAt } from './boxes.ts'
import { type HeifMeta, readMeta, without } from './heif-meta.ts'
import { Pieces } from './pieces.ts'
import { malformed, PictureRefused } from './refusal.ts'
import type { Rewrite } from './rewrite.ts'
import { type Reader, truncated } from './source.ts'

const MAX_BOXES = 256
/** Bytes of the box that describes the items; that of a picture of 48 MP in tiles has 10 KiB. */
const MAX_META_BYTES = 1024 * 1024
const FREE = new TextEncoder().encode('free')

/**
 * AVIF and HEIC with zeros in place of all that is no part of the picture: Exif, XMP, unknown boxes, gaps. Offsets stay as
 * they are, so nothing else changes. The orientation is a property of the picture, not of its Exif.
 * @throws PictureRefused
 */
export async function rewriteHeif(reader: Reader): Promise<Rewrite> {
  const boxes = await topBoxes(reader)
  const metaBox = boxes.find(({ name }) => name === 'meta')
  if (metaBox === undefined) throw malformed('the picture has no description')
  if (boxes.some(({ name }) => name === 'moov' || name === 'moof'))
    throw new PictureRefused('unsupported', 'the metadata of animated AVIF and HEIC cannot be removed')
  reader.at = metaBox.start
  if (metaBox.end - metaBox.start > MAX_META_BYTES) throw malformed('the description of the picture is too long')
  const bytes = await reader.take(metaBox.end - metaBox.start)
  const meta = readMeta(bytes, metaBox.content - metaBox.start)
  const end = Math.max(metaBox.end, meta.kept.at(-1)?.to ?? 0)
  if (end > (boxes.at(-1)?.end ?? 0)) throw truncated()
  const data = boxes.filter(({ name }) => name === 'mdat')
  if (!meta.kept.every(({ from, to }) => data.some((box) => from >= box.content && to <= box.end)))
    throw malformed('the picture has data outside its boxes')
  const pieces = new Pieces()
  for (const box of boxes) {
    if (box.start >= end) break
    if (box === metaBox) pieces.add(erased(bytes, meta))
    else addBox(pieces, box, meta)
  }
  return { pieces, width: meta.width, height: meta.height }
}

/** The boxes of the file, up to the first that is impossible: the begin of something else. */
async function topBoxes(reader: Reader): Promise<Box[]> {
  const boxes: Box[] = []
  while (boxes.length < MAX_BOXES) {
    const box = boxAt(await reader.peek(BOX_HEAD_BYTES), reader.at, reader.left)
    if (box === undefined) break
    boxes.push(box)
    reader.at = box.end
  }
  return boxes
}

function addBox(pieces: Pieces, { name, start, content, end }: Box, { kept }: HeifMeta) {
  if (name === 'ftyp') return pieces.keep(start, end - start)
  if (name !== 'mdat') {
    pieces.keep(start, 4)
    pieces.add(FREE)
    pieces.keep(start + 8, content - start - 8)
    pieces.addZeros(end - content)
    return
  }
  pieces.keep(start, content - start)
  let at = content
  for (const gap of without({ from: content, to: end }, kept)) {
    pieces.keep(at, gap.from - at)
    pieces.addZeros(gap.to - gap.from)
    at = gap.to
  }
  pieces.keep(at, end - at)
}

/** A copy of the description, with zeros in place of metadata. */
function erased(bytes: Uint8Array, { unneeded, erased }: HeifMeta): Uint8Array {
  const copy = bytes.slice()
  for (const { start, content, end } of unneeded) {
    copy.set(FREE, start + 4)
    copy.fill(0, content, end)
  }
  for (const { from, to } of erased) copy.fill(0, from, to)
  return copy
}
