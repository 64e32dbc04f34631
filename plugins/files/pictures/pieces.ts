import { type Source, truncated, WINDOW_BYTES } from './source.ts'

/** A part of a rewritten picture: bytes of its source, other bytes, or zeros. */
export type Piece =
  | { readonly from: number; readonly length: number }
  | { readonly bytes: Uint8Array }
  | { readonly zeros: number }

/** What a rewritten picture consists of. Its bytes stay in the source; neighbours become one piece. */
export class Pieces {
  readonly list: Piece[] = []
  size = 0

  /** Bytes of the source. */
  keep(from: number, length: number) {
    if (length === 0) return
    const last = this.list.at(-1)
    if (last !== undefined && 'from' in last && last.from + last.length === from)
      this.list[this.list.length - 1] = { from: last.from, length: last.length + length }
    else this.list.push({ from, length })
    this.size += length
  }

  add(bytes: Uint8Array) {
    this.list.push({ bytes })
    this.size += bytes.length
  }

  addZeros(length: number) {
    if (length === 0) return
    this.list.push({ zeros: length })
    this.size += length
  }
}

/** The bytes of the rewritten picture, in chunks of at most `chunkBytes`. */
export async function* rewritten(
  source: Source,
  { list }: Pieces,
  chunkBytes = WINDOW_BYTES,
): AsyncGenerator<Uint8Array> {
  for (const piece of list) {
    if ('bytes' in piece) {
      yield piece.bytes
      continue
    }
    const length = 'from' in piece ? piece.length : piece.zeros
    for (let done = 0; done < length; ) {
      const wanted = Math.min(chunkBytes, length - done)
      const chunk = 'from' in piece ? await source.read(piece.from + done, wanted) : new Uint8Array(wanted)
      if (chunk.length === 0) throw truncated()
      done += chunk.length
      yield chunk
    }
  }
}
