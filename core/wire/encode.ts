import { Buffer } from '#platform/runtime'
import { WireError, withField } from './errors.ts'
import { DIGIT_0, LETTER_L, LETTER_S, NETWORK_ORDER } from './format.ts'
import { HEADER_BYTES } from './header.ts'
import type { InputOf, Message } from './message.ts'
import { type Plan, planOf, type Step } from './plan.ts'
import { measure, writeScalar, writeText } from './scalar.ts'

type Values = Record<string, unknown>

/**
 * Encodes a message, header included. Missing fields take their default.
 * @throws WireError `value`, with the field, for a value outside its limits
 */
export function encode<M extends Message>(message: M, ref: number, input: InputOf<M>): Buffer {
  const plan = planOf(message)
  texts = 0
  const size = { format: 2, data: 4 }
  const width = widthOfMessage(plan, input as Values)
  addSizes(plan, input as Values, size, width)
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + size.format + size.data)
  bytes.writeUInt32BE(message.type, 0)
  bytes.writeUInt32BE(size.format, 4)
  bytes.writeUInt32BE(size.data, 8)
  const writer = new Writer(bytes, size.format)
  writer.count(ref)
  writeValues(writer, plan, input as Values, width)
  return bytes
}

/** Bytes of a message's format and data. @throws WireError `value` as `encode` */
export function sizeOf<M extends Message>(message: M, input: InputOf<M>): number {
  texts = 0
  const size = { format: 2, data: 4 }
  const plan = planOf(message)
  addSizes(plan, input as Values, size, widthOfMessage(plan, input as Values))
  return size.format + size.data
}

/** Lengths of the texts of the message being encoded, in order: measured once, used for format and data. */
const measured: number[] = []
/** How many of them there are. The array keeps its length: emptied, it would be allocated anew for each message. */
let texts = 0
/** Values that each entry of the message's list has on the wire. */
let entryWidth = 0

interface Size {
  format: number
  data: number
}

/** @param listName list that the input is an entry of, at `index` */
function addSizes({ steps, list }: Plan, input: Values, size: Size, width: number, listName = '', index = 0) {
  for (let at = 0; at < width; at++) {
    const step = steps[at] as Step
    const length = measureValue(step, input, listName, index)
    size.data += length
    if (step.size === undefined) {
      measured[texts++] = length
      size.format += digitsOf(length) + 1
    } else size.format += 1
  }
  if (list === undefined) return
  const groups = input[list.name]
  if (!Array.isArray(groups)) throw new WireError('value', 'needs a list', list.name)
  if (groups.length > list.field.max) throw new WireError('value', `more than ${list.field.max} entries`, list.name)
  size.format += 1
  size.data += 4
  entryWidth = widthOf(list.plan, groups)
  for (let at = 0; at < groups.length; at++) addSizes(list.plan, groups[at], size, entryWidth, list.name, at)
}

/** Trailing fields that have their default in all entries of a list are left out: most messages have few of them. */
function widthOf({ steps, required }: Plan, groups: readonly Values[]): number {
  let width = Math.max(required, 1)
  for (const group of groups) width = widened(steps, group, width)
  return width
}

/** The same of the fields of a message, unless a list follows them. */
const widthOfMessage = ({ steps, required, list }: Plan, input: Values): number =>
  list === undefined ? widened(steps, input, required) : steps.length

/** The number of fields up to the last one that differs from its default, at least `width`. */
function widened(steps: readonly Step[], values: Values, width: number): number {
  for (let at = steps.length; at > width; at--) {
    const { name, field } = steps[at - 1] as Step
    const value = values[name]
    if (value !== undefined && value !== field.default) return at
  }
  return width
}

function measureValue({ field, name }: Step, input: Values, listName: string, index: number): number {
  try {
    return measure(field, input[name] ?? field.default)
  } catch (error) {
    throw withField(error, listName === '' ? name : `${listName}[${index}].${name}`)
  }
}

function writeValues(writer: Writer, { steps, list }: Plan, input: Values, width: number) {
  for (let at = 0; at < width; at++) {
    const step = steps[at] as Step
    writer.value(step, input[step.name] ?? step.field.default)
  }
  if (list === undefined) return
  const groups = input[list.name] as Values[]
  writer.count(groups.length)
  for (const group of groups) writeValues(writer, list.plan, group, entryWidth)
}

/** Writes format and data in parallel. */
class Writer {
  readonly #bytes: Buffer
  #format: number
  #data: number
  #texts = 0

  constructor(bytes: Buffer, formatLength: number) {
    this.#bytes = bytes
    this.#format = HEADER_BYTES
    this.#data = HEADER_BYTES + formatLength
    this.#bytes[this.#format++] = NETWORK_ORDER
  }

  count(value: number) {
    this.#bytes[this.#format++] = LETTER_L
    this.#data = this.#bytes.writeUInt32BE(value, this.#data)
  }

  value({ field, size, letter }: Step, value: unknown) {
    if (size !== undefined) {
      this.#bytes[this.#format++] = letter
      writeScalar(field.kind, this.#bytes, this.#data, value)
      this.#data += size
      return
    }
    const length = measured[this.#texts++] as number
    this.#digits(length)
    this.#bytes[this.#format++] = LETTER_S
    if (field.kind === 'bytes') this.#bytes.set(value as Uint8Array, this.#data)
    else writeText(this.#bytes, this.#data, value as string, length)
    this.#data += length
  }

  #digits(value: number) {
    const end = this.#format + digitsOf(value)
    for (let at = end - 1; at >= this.#format; at--) {
      this.#bytes[at] = DIGIT_0 + (value % 10)
      value = Math.floor(value / 10)
    }
    this.#format = end
  }
}

function digitsOf(value: number): number {
  let digits = 1
  // Not by division: a loop over fractions costs an allocation for each.
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}
