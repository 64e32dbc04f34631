import { WireError } from './errors.ts'
import { type AnyField, type Field, type Fields, LETTERS, type ListField } from './field.ts'
import { type Frame, HEADER_BYTES } from './header.ts'
import type { InputOf, Message, ValuesOf } from './message.ts'
import { checkReceived, measure, SCALARS } from './scalar.ts'

/** A decoded message: `ref` ties a reply to its request and is 0 in pushes. */
export interface Decoded<M extends Message> {
  readonly ref: number
  readonly values: ValuesOf<M>
}

interface Part {
  readonly field: Field
  readonly value: unknown
  readonly size: number
}

const REF: Field<number> = { kind: 'uint32', about: '', min: 0, max: 0xffffffff }

/**
 * Encodes a message, header included. Fields left out take their default.
 * Throws WireError `value`, naming the field, for a value outside its limits.
 */
export function encode<M extends Message>(message: M, ref: number, input: InputOf<M>): Buffer {
  const parts: Part[] = []
  add(parts, REF, ref, 'ref')
  addFields(parts, message.fields, input as Record<string, unknown>, '')
  let format = '!'
  let dataLength = 0
  for (const { field, size } of parts) {
    format += SCALARS[field.kind].size === undefined ? `${size}s` : LETTERS[field.kind]
    dataLength += size
  }
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + format.length + dataLength)
  bytes.writeUInt32BE(message.type, 0)
  bytes.writeUInt32BE(format.length, 4)
  bytes.writeUInt32BE(dataLength, 8)
  bytes.write(format, HEADER_BYTES, 'latin1')
  let offset = HEADER_BYTES + format.length
  for (const { field, value, size } of parts) {
    SCALARS[field.kind].write(bytes, offset, value as never)
    offset += size
  }
  return bytes
}

function addFields(parts: Part[], fields: Fields, input: Record<string, unknown>, path: string) {
  for (const name in fields) {
    const field = fields[name] as AnyField
    if (field.kind === 'list') addList(parts, field, input[name], path + name)
    else add(parts, field, input[name] ?? field.default, path + name)
  }
}

function addList(parts: Part[], field: ListField, groups: unknown, path: string) {
  if (!Array.isArray(groups)) throw new WireError('value', 'needs a list', path)
  if (groups.length > field.max) throw new WireError('value', `more than ${field.max} entries`, path)
  add(parts, REF, groups.length, path)
  groups.forEach((group, index) => {
    addFields(parts, field.fields, group as Record<string, unknown>, `${path}[${index}].`)
  })
}

function add(parts: Part[], field: Field, value: unknown, path: string) {
  try {
    parts.push({ field, value, size: measure(field, value) })
  } catch (error) {
    throw withField(error, path)
  }
}

/**
 * Decodes a frame by the definition: the frame's format is compared with it, never obeyed.
 * Missing trailing fields take their default, values beyond the definition are skipped.
 * @param maxValues most values taken in one message, those of a list included
 * @throws WireError `format` or `length` (the peer does not speak this message), `value` (outside a field's limits),
 *   `oversized` (too many values)
 */
export function decode<M extends Message>(message: M, frame: Frame, maxValues: number): Decoded<M> {
  const reader = new ValueReader(frame, maxValues)
  const ref = reader.value(REF, 'ref') as number
  const values: Record<string, unknown> = {}
  readFields(reader, message.fields, values, '')
  reader.end()
  return { ref, values: values as ValuesOf<M> }
}

/** The `ref` of a message whose other values could not be read; 0 if it has none. */
export function readRef(frame: Frame): number {
  const [mark, letter] = frame.format
  return mark === NETWORK_ORDER && letter === LETTER_L && frame.data.length >= 4 ? frame.data.readUInt32BE(0) : 0
}

function readFields(reader: ValueReader, fields: Fields, values: Record<string, unknown>, path: string) {
  for (const name in fields) {
    const field = fields[name] as AnyField
    if (field.kind === 'list') values[name] = readList(reader, field, path + name)
    else if (reader.atEnd && field.default !== undefined) values[name] = field.default
    else values[name] = reader.value(field, path + name)
  }
}

function readList(reader: ValueReader, field: ListField, path: string) {
  const count = reader.value(REF, path) as number
  const left = reader.countLeft()
  if (count > field.max) throw new WireError('value', `more than ${field.max} entries`, path)
  if (count === 0 && left === 0) return []
  // A newer sender may append fields to the group: its width shows in how many values there are.
  const width = left / count
  if (!Number.isInteger(width)) throw new WireError('format', `${left} values do not make ${count} groups`, path)
  const names = Object.keys(field.fields)
  return Array.from({ length: count }, (_, index) => {
    const group: Record<string, unknown> = {}
    names.forEach((name, position) => {
      const inner = field.fields[name] as Field
      if (position < width) group[name] = reader.value(inner, `${path}[${index}].${name}`)
      else if (inner.default !== undefined) group[name] = inner.default
      else throw new WireError('format', 'is missing', `${path}[${index}].${name}`)
    })
    for (let extra = names.length; extra < width; extra++) reader.skip()
    return group
  })
}

const NETWORK_ORDER = 0x21 // '!'
const LETTER_L = 0x4c
const LETTER_S = 0x73
const DIGIT_0 = 0x30
const SIZE_OF_LETTER = new Map<number, number>(
  Object.entries(LETTERS).flatMap(([kind, letter]) => {
    const { size } = SCALARS[kind as keyof typeof LETTERS]
    return size === undefined ? [] : [[letter.charCodeAt(0), size] as const]
  }),
)

/** Walks format and data side by side. */
class ValueReader {
  readonly #format: Buffer
  readonly #data: Buffer
  #valuesLeft: number
  #at = 1
  #offset = 0

  constructor({ format, data }: Frame, maxValues: number) {
    if (format[0] !== NETWORK_ORDER) throw new WireError('format', 'a native format starts with "!"')
    this.#format = format
    this.#data = data
    this.#valuesLeft = maxValues
  }

  get atEnd(): boolean {
    return this.#at >= this.#format.length
  }

  /** How many values the rest of the format announces. */
  countLeft(): number {
    let letters = 0
    for (let at = this.#at; at < this.#format.length; at++) if (!isDigit(this.#format[at])) letters++
    return letters
  }

  value(field: Field, path: string): unknown {
    const scalar = SCALARS[field.kind]
    let length = scalar.size
    if (length === undefined) length = this.#stringLength(path)
    else if (this.#format[this.#at] === LETTERS[field.kind].charCodeAt(0)) this.#at++
    else throw this.#mismatch(field, path)
    const offset = this.#advance(length, path)
    try {
      const value = scalar.read(this.#data, offset, length)
      checkReceived(field, value, length)
      return value
    } catch (error) {
      throw withField(error, path)
    }
  }

  /** Passes over a value that this side's definition does not know. */
  skip() {
    const size = SIZE_OF_LETTER.get(this.#format[this.#at] as number)
    if (size === undefined) this.#advance(this.#stringLength('beyond the definition'), 'beyond the definition')
    else {
      this.#at++
      this.#advance(size, 'beyond the definition')
    }
  }

  end() {
    while (!this.atEnd) this.skip()
    if (this.#offset !== this.#data.length) throw new WireError('length', 'data and format differ in length')
  }

  /** Reads `Ns`: decimal digits without leading zeros, then the letter. */
  #stringLength(path: string): number {
    const start = this.#at
    let length = 0
    while (isDigit(this.#format[this.#at]) && this.#at - start < 10)
      length = length * 10 + (this.#format[this.#at++] as number) - DIGIT_0
    const digits = this.#at - start
    const leadingZero = digits > 1 && this.#format[start] === DIGIT_0
    if (digits === 0 || leadingZero || this.#format[this.#at] !== LETTER_S)
      throw new WireError('format', 'needs a length and the letter s', path)
    this.#at++
    return length
  }

  #advance(length: number, path: string): number {
    if (this.#valuesLeft-- <= 0) throw new WireError('oversized', 'too many values')
    const offset = this.#offset
    if (length > this.#data.length - offset) throw new WireError('length', 'reaches beyond the data', path)
    this.#offset += length
    return offset
  }

  #mismatch(field: Field, path: string) {
    const found = this.atEnd ? 'nothing' : JSON.stringify(String.fromCharCode(this.#format[this.#at] as number))
    return new WireError('format', `needs the letter ${LETTERS[field.kind]}, found ${found}`, path)
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_0 + 9
}

function withField(error: unknown, path: string): unknown {
  return error instanceof WireError && error.field === undefined
    ? new WireError(error.code, error.message, path)
    : error
}
