import { malformed, PictureRefused } from './refusal.ts'

/** The bytes of a picture, at random access: a file, memory, or a Blob of a browser. */
export interface Source {
  readonly size: number
  /** The bytes from `at`: `length` of them, fewer only where the source ends. */
  read(at: number, length: number): Promise<Uint8Array>
}

export const bytesSource = (bytes: Uint8Array): Source => ({
  size: bytes.length,
  read: (at, length) => Promise.resolve(bytes.subarray(at, at + length)),
})

export const WINDOW_BYTES = 64 * 1024
/** Parts of a picture (segments, chunks, blocks): a large one has some ten thousand. Each costs turns of the event loop. */
const MAX_PARTS = 100_000
const NOTHING = new Uint8Array(0)

/** A cursor over a source. Memory: one window, or one larger part that a caller asks for. */
export class Reader {
  readonly source: Source
  /** Position of the next byte. */
  at = 0
  #window: Uint8Array = NOTHING
  #windowAt = 0
  #parts = 0

  constructor(source: Source) {
    this.source = source
  }

  get left(): number {
    return this.source.size - this.at
  }

  /** The next `length` bytes. @throws PictureRefused `truncated` */
  async take(length: number): Promise<Uint8Array> {
    const bytes = await this.peek(length)
    if (bytes.length < length) throw truncated()
    this.at += length
    return bytes
  }

  /** The same without moving; fewer where the source ends. */
  async peek(length: number): Promise<Uint8Array> {
    const from = this.at - this.#windowAt
    if (from < 0 || from + length > this.#window.length) await this.#load(length)
    return this.#window.subarray(this.at - this.#windowAt, this.at - this.#windowAt + length)
  }

  async byte(): Promise<number> {
    return (await this.take(1))[0] ?? 0
  }

  /** @throws PictureRefused `truncated` */
  skip(length: number) {
    if (length > this.left) throw truncated()
    this.at += length
  }

  /**
   * The bytes that are in memory from here on, at least `length`: for loops over many small parts, which would take seconds
   * with a promise for each.
   * @throws PictureRefused `truncated`
   */
  async window(length = 1): Promise<Uint8Array> {
    if ((await this.peek(length)).length < length) throw truncated()
    return this.#window.subarray(this.at - this.#windowAt)
  }

  /** Counts a part that was read by itself. @throws PictureRefused `malformed` for too many */
  countPart() {
    if (++this.#parts > MAX_PARTS) throw malformed('the picture has too many parts')
  }

  async #load(length: number) {
    this.#windowAt = this.at
    this.#window = await this.source.read(this.at, Math.max(length, WINDOW_BYTES))
  }
}

export const truncated = () => new PictureRefused('truncated', 'the picture ends too early')

export const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Bytes as text, a character each, for the four-letter names of parts. */
export const latin = (bytes: Uint8Array, from = 0, to = bytes.length) =>
  String.fromCharCode(...bytes.subarray(from, to))
