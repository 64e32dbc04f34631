import { type Box, boxesIn, Fields } from './boxes.ts'
import { malformed, PictureRefused } from './refusal.ts'

export interface Extent {
  readonly from: number
  readonly to: number
}

export interface HeifMeta {
  /** Bytes of the file that are parts of pictures. */
  readonly kept: readonly Extent[]
  /** Boxes within the box that no decoder needs. */
  readonly unneeded: readonly Box[]
  /** Other bytes within the box that are metadata. */
  readonly erased: readonly Extent[]
  readonly width: number
  readonly height: number
}

/** Kinds of items that are pictures or say how they are put together; any other is metadata. */
const PICTURES = new Set(['av01', 'hvc1', 'lhv1', 'grid', 'iovl', 'iden', 'tmap'])
const KEPT = new Set(['hdlr', 'pitm', 'iinf', 'iloc', 'iprp', 'iref', 'idat', 'grpl', 'dinf'])
const IN_FILE = 0
const IN_IDAT = 1

/** @param bytes the whole box `meta`, its head included. @throws PictureRefused */
export function readMeta(bytes: Uint8Array, content: number): HeifMeta {
  const boxes = boxesIn(bytes, content + 4, bytes.length)
  const types = itemTypes(bytes, need(boxes, 'iinf'))
  const isPicture = (item: number) => PICTURES.has(types.get(item) ?? '')
  const idat = boxes.find(({ name }) => name === 'idat')
  const kept: Extent[] = []
  const inIdat: Extent[] = []
  for (const { item, place, from, to } of extents(bytes, need(boxes, 'iloc'))) {
    if (!isPicture(item)) continue
    if (place === IN_FILE) kept.push({ from, to })
    else if (idat !== undefined && idat.content + to <= idat.end)
      inIdat.push({ from: idat.content + from, to: idat.content + to })
    else throw malformed('the picture has an item outside its box')
  }
  if (kept.length + inIdat.length === 0) throw malformed('the picture has no data')
  const erased = idat === undefined ? [] : without({ from: idat.content, to: idat.end }, merged(inIdat))
  const unneeded = boxes.filter(({ name }) => !KEPT.has(name))
  return { kept: merged(kept), unneeded, erased, ...dimensions(bytes, boxes) }
}

function need(boxes: readonly Box[], name: string): Box {
  const box = boxes.find((each) => each.name === name)
  if (box === undefined) throw malformed(`the picture has no box ${name}`)
  return box
}

/** The kind of each item. */
function itemTypes(bytes: Uint8Array, iinf: Box): Map<number, string> {
  const fields = new Fields(bytes, iinf.content, iinf.end)
  fields.uint(fields.version() === 0 ? 2 : 4)
  const types = new Map<number, string>()
  for (const infe of boxesIn(bytes, fields.at, iinf.end)) {
    const entry = new Fields(bytes, infe.content, infe.end)
    const version = entry.version()
    if (infe.name !== 'infe' || version < 2) throw unsupported('an old list of items')
    const item = entry.uint(version === 2 ? 2 : 4)
    entry.uint(2)
    types.set(item, entry.name())
  }
  return types
}

/** Where the bytes of each item are. */
function* extents(bytes: Uint8Array, iloc: Box) {
  const fields = new Fields(bytes, iloc.content, iloc.end)
  const version = fields.version()
  if (version > 2) throw unsupported('a newer list of places')
  const [sizes, more] = [fields.uint(1), fields.uint(1)]
  const [offsetSize, lengthSize, baseSize] = [sizes >> 4, sizes & 15, more >> 4]
  const indexSize = version === 0 ? 0 : more & 15
  const items = fields.uint(version < 2 ? 2 : 4)
  for (let index = 0; index < items; index++) {
    const item = fields.uint(version < 2 ? 2 : 4)
    const place = version === 0 ? IN_FILE : fields.uint(2) & 15
    if (fields.uint(2) !== 0 || place > IN_IDAT) throw unsupported('items in other files or items')
    const base = fields.uint(baseSize)
    for (let count = fields.uint(2); count > 0; count--) {
      fields.uint(indexSize)
      const from = base + fields.uint(offsetSize)
      const length = fields.uint(lengthSize)
      if (length === 0) throw unsupported('items without a length')
      yield { item, place, from, to: from + length }
    }
  }
}

const unsupported = (what: string) => new PictureRefused('unsupported', `the picture has ${what}`)

/** Of the picture that is shown first: its extents, turned as it says. */
function dimensions(bytes: Uint8Array, boxes: readonly Box[]) {
  const pitm = need(boxes, 'pitm')
  const first = new Fields(bytes, pitm.content, pitm.end)
  const primary = first.uint(first.version() === 0 ? 2 : 4)
  const iprp = need(boxes, 'iprp')
  const parts = boxesIn(bytes, iprp.content, iprp.end)
  const ipco = need(parts, 'ipco')
  const properties = boxesIn(bytes, ipco.content, ipco.end)
  const mine = propertiesOf(bytes, need(parts, 'ipma'), primary).map((index) => properties[index - 1])
  const ispe = mine.find((property) => property?.name === 'ispe')
  if (ispe === undefined) throw malformed('the picture has no dimensions')
  const size = new Fields(bytes, ispe.content + 4, ispe.end)
  const [width, height] = [size.uint(4), size.uint(4)]
  if (width === 0 || height === 0) throw malformed('the picture has no dimensions')
  const irot = mine.find((property) => property?.name === 'irot')
  const isTurned = irot !== undefined && new Fields(bytes, irot.content, irot.end).uint(1) % 2 === 1
  return isTurned ? { width: height, height: width } : { width, height }
}

/** Numbers of the properties of an item, from 1. */
function propertiesOf(bytes: Uint8Array, ipma: Box, wanted: number): number[] {
  const fields = new Fields(bytes, ipma.content, ipma.end)
  const version = fields.uint(1)
  fields.uint(2)
  const isWide = (fields.uint(1) & 1) === 1
  for (let entries = fields.uint(4); entries > 0; entries--) {
    const item = fields.uint(version === 0 ? 2 : 4)
    const numbers: number[] = []
    for (let count = fields.uint(1); count > 0; count--)
      numbers.push(isWide ? fields.uint(2) & 0x7fff : fields.uint(1) & 0x7f)
    if (item === wanted) return numbers
  }
  return []
}

/** Sorted, and those that touch or overlap made one. */
function merged(extents: readonly Extent[]): Extent[] {
  const result: Extent[] = []
  for (const extent of [...extents].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last === undefined || extent.from > last.to) result.push(extent)
    else if (extent.to > last.to) result[result.length - 1] = { from: last.from, to: extent.to }
  }
  return result
}

/** The parts of `whole` that no extent of these covers. */
export function without(whole: Extent, extents: readonly Extent[]): Extent[] {
  const gaps: Extent[] = []
  let at = whole.from
  for (const { from, to } of extents) {
    if (to <= at || from >= whole.to) continue
    if (from > at) gaps.push({ from: at, to: from })
    at = to
  }
  if (at < whole.to) gaps.push({ from: at, to: whole.to })
  return gaps
}
