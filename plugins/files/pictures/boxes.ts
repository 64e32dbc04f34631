import { malformed } from './refusal.ts'
import { latin, viewOf } from './source.ts'

/** A box of ISO BMFF: where it begins, where its content begins, and where it ends. */
export interface Box {
  readonly name: string
  readonly start: number
  readonly content: number
  readonly end: number
}

export const BOX_HEAD_BYTES = 16

/** @param rest bytes from the box's begin to the end of what holds it; undefined if the head is impossible */
export function boxAt(head: Uint8Array, start: number, rest: number): Box | undefined {
  if (head.length < 8) return undefined
  const view = viewOf(head)
  const short = view.getUint32(0)
  if (short === 1 && head.length < BOX_HEAD_BYTES) return undefined
  const size = short === 0 ? rest : short === 1 ? Number(view.getBigUint64(8)) : short
  const headBytes = short === 1 ? 16 : 8
  if (size < headBytes || size > rest) return undefined
  return { name: latin(head, 4, 8), start, content: start + headBytes, end: start + size }
}

/** The boxes within these bytes. @throws PictureRefused `malformed` */
export function boxesIn(bytes: Uint8Array, from: number, to: number): Box[] {
  const boxes: Box[] = []
  for (let at = from; at < to; ) {
    const box = boxAt(bytes.subarray(at, Math.min(to, at + BOX_HEAD_BYTES)), at, to - at)
    if (box === undefined) throw malformed('the picture has a broken box')
    boxes.push(box)
    at = box.end
  }
  return boxes
}

/** Numbers of a box, one after another; big-endian. */
export class Fields {
  at: number
  readonly #view: DataView
  readonly #end: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.at = at
    this.#view = viewOf(bytes)
    this.#end = end
  }

  /** An unsigned number of 0, 1, 2, 4 or 8 bytes. @throws PictureRefused `malformed` */
  uint(bytes: number): number {
    const at = this.at
    this.at += bytes
    if (this.at > this.#end) throw malformed('the picture has a box that is too short')
    if (bytes === 0) return 0
    if (bytes === 1) return this.#view.getUint8(at)
    if (bytes === 2) return this.#view.getUint16(at)
    if (bytes === 4) return this.#view.getUint32(at)
    const long = bytes === 8 ? Number(this.#view.getBigUint64(at)) : Number.NaN
    if (Number.isSafeInteger(long)) return long
    throw malformed('the picture has an impossible number')
  }

  /** Version of a full box; its flags are skipped. */
  version(): number {
    const version = this.uint(1)
    this.at += 3
    return version
  }

  name(): string {
    return String.fromCharCode(this.uint(1), this.uint(1), this.uint(1), this.uint(1))
  }
}
