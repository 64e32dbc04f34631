import { Refused } from '../../core/index.ts'

/** UTF-8 text that grows at its end, or is replaced from an offset on. Offsets in bytes. */
export class GrowingText {
  #bytes = Buffer.alloc(0)

  get length(): number {
    return this.#bytes.length
  }

  /**
   * Puts text at an offset and drops what was behind it.
   * @param max bytes
   * @throws Refused `invalid_value` for an offset beyond the end or within a character, `too_large`
   */
  put(at: number, text: string, max: number) {
    if (at > this.length) throw new Refused('invalid_value', `\`at\` is ${at}, but the text has ${this.length} bytes`)
    if (!this.#isBorder(at)) throw new Refused('invalid_value', '`at` is within a character')
    const piece = Buffer.from(text)
    if (at + piece.length > max) throw new Refused('too_large', `a text of more than ${max} bytes is not allowed`)
    this.#bytes = Buffer.concat([this.#bytes.subarray(0, at), piece])
  }

  from(at: number): string {
    return this.#bytes.toString('utf8', at)
  }

  /** The beginning, of whole characters, of at most `max` bytes. */
  upTo(max: number): string {
    let end = Math.min(max, this.length)
    while (!this.#isBorder(end)) end--
    return this.#bytes.toString('utf8', 0, end)
  }

  #isBorder(at: number): boolean {
    return ((this.#bytes[at] ?? 0) & 0xc0) !== 0x80
  }
}
