import { WireError, withField } from './errors.ts'
import { LETTERS, type ScalarKind } from './field.ts'
import { DIGIT_0, LETTER_L, LETTER_S, NETWORK_ORDER } from './format.ts'
import type { Frame } from './header.ts'
import type { Message, ValuesOf } from './message.ts'
import { type Plan, planOf, type Step } from './plan.ts'
import { checkReceived, readScalar, readText, SIZES } from './scalar.ts'

/** A decoded message. `ref` matches a reply to its request; 0 in pushes. */
export interface Decoded<M extends Message> {
  readonly ref: number
  readonly values: ValuesOf<M>
}

type Values = Record<string, unknown>

/**
 * Decodes a frame by the definition; the frame's format is only compared with it. Missing trailing fields take their
 * default, values beyond the definition are skipped.
 * @param maxValues most values of one message, those of a list included
 * @throws WireError `format` or `length` (does not match the definition), `value` (outside a field's limits), `oversized`
 *   (too many values)
 */
export function decode<M extends Message>(message: M, frame: Frame, maxValues: number): Decoded<M> {
  const { steps, list } = planOf(message)
  const reader = new Reader(frame, maxValues)
  const ref = reader.count('ref')
  const values: Values = {}
  for (const step of steps)
    values[step.name] = reader.atEnd && step.field.default !== undefined ? step.field.default : reader.value(step, '')
  if (list !== undefined) values[list.name] = readList(reader, list)
  reader.end()
  return { ref, values: values as ValuesOf<M> }
}

/** The `ref` of a message whose other values cannot be decoded; 0 if it has none. */
export function readRef({ bytes, format, data, end }: Frame): number {
  const hasRef = data - format >= 2 && bytes[format] === NETWORK_ORDER && bytes[format + 1] === LETTER_L
  return hasRef && end - data >= 4 ? bytes.readUInt32BE(data) : 0
}

function readList(reader: Reader, { name, field, plan }: NonNullable<Plan['list']>) {
  const count = reader.count(name)
  const left = reader.countLeft()
  if (count > field.max) throw new WireError('value', `more than ${field.max} entries`, name)
  if (count === 0 && left === 0) return []
  // A newer sender may append fields to each group: the number of values gives the width of a group.
  const width = left / count
  if (!Number.isInteger(width)) throw new WireError('format', `${left} values do not make ${count} groups`, name)
  return Array.from({ length: count }, (_, index) => {
    const path = `${name}[${index}].`
    const group: Values = {}
    for (const [position, step] of plan.steps.entries()) {
      if (position < width) group[step.name] = reader.value(step, path)
      else if (step.field.default !== undefined) group[step.name] = step.field.default
      else throw new WireError('format', 'is missing', path + step.name)
    }
    for (let extra = plan.steps.length; extra < width; extra++) reader.skip()
    return group
  })
}

/** Reads format and data in parallel. */
class Reader {
  readonly #bytes: Buffer
  readonly #formatEnd: number
  readonly #dataEnd: number
  #valuesLeft: number
  #format: number
  #data: number

  constructor({ bytes, format, data, end }: Frame, maxValues: number) {
    if (data === format || bytes[format] !== NETWORK_ORDER)
      throw new WireError('format', 'a native format starts with "!"')
    this.#bytes = bytes
    this.#format = format + 1
    this.#formatEnd = data
    this.#data = data
    this.#dataEnd = end
    this.#valuesLeft = maxValues
  }

  get atEnd(): boolean {
    return this.#format >= this.#formatEnd
  }

  /** Number of values in the rest of the format. */
  countLeft(): number {
    let letters = 0
    for (let at = this.#format; at < this.#formatEnd; at++) if (!isDigit(this.#bytes[at])) letters++
    return letters
  }

  /** Reads a uint32 that is not a field: `ref`, or the length of a list. */
  count(name: string): number {
    if (this.#letter !== LETTER_L) throw this.#mismatch('L', name)
    this.#format++
    return this.#bytes.readUInt32BE(this.#advance(4, name))
  }

  value({ field, name, size, letter }: Step, path: string): unknown {
    let length = size
    if (length === undefined) length = this.#textLength(path, name)
    else if (this.#letter === letter) this.#format++
    else throw this.#mismatch(String.fromCharCode(letter), path + name)
    const at = this.#advance(length, name, path)
    try {
      if (size === undefined && field.kind !== 'bytes') return readText(field, this.#bytes, at, length)
      const value = readScalar(field.kind, this.#bytes, at, length)
      checkReceived(field, value, length)
      return value
    } catch (error) {
      throw withField(error, path + name)
    }
  }

  /** Skips a value beyond this side's definition. */
  skip() {
    const size = SIZE_OF_LETTER.get(this.#letter ?? 0)
    if (size !== undefined) this.#format++
    this.#advance(size ?? this.#textLength('', BEYOND), BEYOND)
  }

  end() {
    while (!this.atEnd) this.skip()
    if (this.#data !== this.#dataEnd) throw new WireError('length', 'data and format differ in length')
  }

  /** The next byte of the format; undefined at its end. */
  get #letter(): number | undefined {
    return this.#format < this.#formatEnd ? this.#bytes[this.#format] : undefined
  }

  /** Reads `Ns`: decimal digits without leading zeros, then the letter. */
  #textLength(path: string, name: string): number {
    const start = this.#format
    let length = 0
    for (let digit = this.#letter; isDigit(digit) && this.#format - start < 10; digit = this.#letter) {
      length = length * 10 + (digit as number) - DIGIT_0
      this.#format++
    }
    const digits = this.#format - start
    const leadingZero = digits > 1 && this.#bytes[start] === DIGIT_0
    if (digits === 0 || leadingZero || this.#letter !== LETTER_S)
      throw new WireError('format', 'needs a length and the letter s', path + name)
    this.#format++
    return length
  }

  #advance(length: number, name: string, path = ''): number {
    if (this.#valuesLeft-- <= 0) throw new WireError('oversized', 'too many values')
    const at = this.#data
    if (length > this.#dataEnd - at) throw new WireError('length', 'reaches beyond the data', path + name)
    this.#data += length
    return at
  }

  #mismatch(letter: string, path: string) {
    const found = this.#letter === undefined ? 'nothing' : JSON.stringify(String.fromCharCode(this.#letter))
    return new WireError('format', `needs the letter ${letter}, found ${found}`, path)
  }
}

const BEYOND = 'beyond the definition'
const SIZE_OF_LETTER = new Map(
  Object.entries(LETTERS).map(([kind, letter]) => [letter.charCodeAt(0), SIZES[kind as ScalarKind]] as const),
)

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_0 + 9
}
