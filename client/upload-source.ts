import { newSha256 } from '#platform/crypto'
import { Buffer } from '#platform/runtime'

/** Content to upload: bytes, a Blob or File of a browser, or a stream of Node or of a browser. */
export type UploadSource = Uint8Array | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>

/** Bytes that are read from memory or a Blob at once. */
const PIECE_BYTES = 256 * 1024

/** Size of a source, if it is known. */
export function sizeOf(source: UploadSource): number | undefined {
  if (source instanceof Uint8Array) return source.length
  return source instanceof Blob ? source.size : undefined
}

/** Whether a source can be read again from its beginning. */
export const isRepeatable = (source: UploadSource) => source instanceof Uint8Array || source instanceof Blob

/** Reads a source once, in order, and keeps what the server has not acknowledged: it may have to be sent again. */
export class UploadReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #size: number
  readonly #hash = newSha256()
  #digest: Buffer | undefined
  /** The bytes from `#start` on that were read and are kept. */
  #kept: Uint8Array[] = []
  #start = 0
  /** True until the first bytes are wanted. */
  #isUnsent = true
  #end = 0

  constructor(source: UploadSource, size: number) {
    this.#pieces = piecesOf(source)
    this.#size = size
  }

  /** Offset of the first byte that is kept. */
  get start(): number {
    return this.#start
  }

  /** @param offset not below `start`. @throws RangeError if the source is shorter or longer than its size */
  async read(offset: number, length: number): Promise<Buffer> {
    while (this.#end < offset + length) {
      if (!(await this.#next())) throw new RangeError(`the source ends after ${this.#end} of ${this.#size} bytes`)
      // What the server had at the beginning of a resumed upload is hashed, but not kept.
      if (this.#isUnsent) this.release(Math.min(offset, this.#end))
    }
    this.#isUnsent = false
    const parts: Uint8Array[] = []
    let at = this.#start
    for (const piece of this.#kept) {
      const from = Math.max(0, offset - at)
      const part = from < piece.length ? piece.subarray(from, offset + length - at) : undefined
      if (part !== undefined && part.length > 0) parts.push(part)
      at += piece.length
      if (at >= offset + length) break
    }
    return parts.length === 1 ? bufferOf(parts[0] as Uint8Array) : (Buffer.concat(parts, length) as Buffer)
  }

  /** Forgets the bytes before an offset. */
  release(offset: number) {
    for (let first = this.#kept[0]; first !== undefined && this.#start < offset; first = this.#kept[0]) {
      const gone = Math.min(first.length, offset - this.#start)
      if (gone === first.length) this.#kept.shift()
      else this.#kept[0] = first.subarray(gone)
      this.#start += gone
    }
  }

  /** The SHA-256 of the whole source. @throws RangeError as `read` */
  async digest(): Promise<Buffer> {
    while (await this.#next()) this.release(this.#end)
    if (this.#end < this.#size) throw new RangeError(`the source ends after ${this.#end} of ${this.#size} bytes`)
    this.#digest ??= this.#hash.digest()
    return this.#digest
  }

  /** Ends the source. */
  async close() {
    await this.#pieces.return?.()
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#pieces.next()
    if (done) return false
    this.#hash.update(value)
    this.#kept.push(value)
    this.#end += value.length
    if (this.#end > this.#size) throw new RangeError(`the source has more than ${this.#size} bytes`)
    return true
  }
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer as ArrayBuffer, byteOffset, length)

async function* piecesOf(source: UploadSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array)
    for (let at = 0; at < source.length; at += PIECE_BYTES) yield source.subarray(at, at + PIECE_BYTES)
  else if (source instanceof Blob)
    for (let at = 0; at < source.size; at += PIECE_BYTES)
      yield new Uint8Array(await source.slice(at, at + PIECE_BYTES).arrayBuffer())
  else if (Symbol.asyncIterator in source) yield* source
  else yield* piecesOfStream(source)
}

/** Not all browsers can iterate over a stream. */
async function* piecesOfStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel()
  }
}
