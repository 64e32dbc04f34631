import { Buffer } from '#platform/runtime'

/**
 * The building blocks of a message definition. A field is plain data, so that definitions can be sent as JSON, printed as
 * tables and fuzzed; `Field<T>` carries its TypeScript type.
 */

/** Format letter of each kind of field, see docs/PROTOCOL.md "Layer 3". */
export const LETTERS = {
  bool: '?',
  uint8: 'B',
  uint16: 'H',
  uint32: 'L',
  uint64: 'Q',
  int8: 'b',
  int16: 'h',
  int32: 'l',
  int64: 'q',
  float64: 'd',
  line: 's',
  text: 's',
  bytes: 's',
  oneOf: 's',
} as const

export type ScalarKind = keyof typeof LETTERS

declare const valueType: unique symbol

/** One value of a message. `min` and `max` bound the number, or the length in bytes for kinds with the letter `s`. */
export interface Field<T = unknown> {
  readonly kind: ScalarKind
  readonly about: string
  readonly min: number
  readonly max: number
  /** The closed set of a `oneOf` field. */
  readonly values?: readonly string[]
  /** Value if the field is missing at the end of a message; undefined: the field is required. */
  readonly default?: T
  readonly [valueType]?: T
}

export interface OptionalField<T = unknown> extends Field<T> {
  readonly default: T
}

/** A count, then that many groups of fields; only as the last field of a message. */
export interface ListField<F extends Fields = Fields> {
  readonly kind: 'list'
  readonly about: string
  /** Most groups in one message. */
  readonly max: number
  readonly fields: F
}

export type AnyField = Field | ListField
export type Fields = { readonly [name: string]: AnyField }

type ValueOf<F> = F extends ListField<infer G> ? Values<G>[] : F extends Field<infer T> ? T : never
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends OptionalField ? K : never }[keyof F]
type InputOf<F> = F extends ListField<infer G> ? Input<G>[] : ValueOf<F>

/** Decoded values: every field present. */
export type Values<F extends Fields> = { [K in keyof F]: ValueOf<F[K]> }
/** Values to encode: fields with a default may be missing. */
export type Input<F extends Fields> = { [K in Exclude<keyof F, OptionalKeys<F>>]: InputOf<F[K]> } & {
  [K in OptionalKeys<F>]?: InputOf<F[K]> | undefined
}

type Limits = { readonly min?: number; readonly max?: number }

function number(kind: ScalarKind, lowest: number, highest: number) {
  return (about: string, { min = lowest, max = highest }: Limits = {}): Field<number> => ({ kind, about, min, max })
}

export const uint8 = number('uint8', 0, 0xff)
export const uint16 = number('uint16', 0, 0xffff)
export const uint32 = number('uint32', 0, 0xffffffff)
/** Eight bytes on the wire, but at most 2^53 − 1, the largest exact integer of JavaScript. */
export const uint64 = number('uint64', 0, Number.MAX_SAFE_INTEGER)
export const int8 = number('int8', -0x80, 0x7f)
export const int16 = number('int16', -0x8000, 0x7fff)
export const int32 = number('int32', -0x80000000, 0x7fffffff)
export const int64 = number('int64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
export const float64 = number('float64', -Number.MAX_VALUE, Number.MAX_VALUE)

export const bool = (about: string): Field<boolean> => ({ kind: 'bool', about, min: 0, max: 1 })

/** UTF-8 in one line: no control characters, no bidirectional controls. `max` in bytes. */
export const line = (about: string, { min = 0, max = 255 }: Limits = {}): Field<string> => ({
  kind: 'line',
  about,
  min,
  max,
})

/** UTF-8 of any content, line breaks included. `max` in bytes. */
export const text = (about: string, { min = 0, max = 16_384 }: Limits = {}): Field<string> => ({
  kind: 'text',
  about,
  min,
  max,
})

export const bytes = (about: string, { min = 0, max = 255 }: Limits = {}): Field<Uint8Array> => ({
  kind: 'bytes',
  about,
  min,
  max,
})

/** Longest value of a closed set, bytes. */
const MAX_VALUE = 64

/**
 * One of a closed set of texts, which may include the empty text. Both sides refuse any other value: a set that may grow
 * in a later version is a `line`, since older peers would refuse the new value.
 * @throws TypeError for an empty set, and for a value that is not a line of at most 64 bytes
 */
export function oneOf<const V extends string>(about: string, values: readonly V[]): Field<V> {
  const unfit = values.find((value) => Buffer.byteLength(value) > MAX_VALUE || !isLine(value))
  if (values.length === 0 || unfit !== undefined)
    throw new TypeError(`a field is one of ${JSON.stringify(values)}: lines of at most ${MAX_VALUE} bytes`)
  return { kind: 'oneOf', about, min: 0, max: MAX_VALUE, values }
}

/** Makes a trailing field optional. New fields of a message are appended, and optional. */
export const optional = <T>(field: Field<T>, value: NoInfer<T>): OptionalField<T> => ({ ...field, default: value })

export const list = <const F extends Fields>(about: string, fields: F, { max = 100 }: { max?: number } = {}) =>
  ({ kind: 'list', about, max, fields }) as ListField<F>

// C0, DEL, C1, line and paragraph separators, and bidirectional controls, which can make one name look like another.
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

/** Converts text for a `line` field: forbidden characters become spaces, and it is truncated to `max` bytes. */
export function toLine(text: string, max: number): string {
  let line = text.toWellFormed().replace(new RegExp(UNPRINTABLE, 'g'), ' ')
  while (Buffer.byteLength(line) > max)
    line = line.slice(0, -Math.ceil((Buffer.byteLength(line) - max) / 4)).toWellFormed()
  return line
}

/** Whether a `line` field accepts the text, apart from its length. */
export const isLine = (value: string) => !UNPRINTABLE.test(value)

/** Longest text of the protocol, bytes; a server's `limits.text` is lower. */
export const MAX_TEXT = 200_000

/**
 * A user's name: at most 32 ASCII characters for new accounts; adopted databases contain longer ones. Not in the accounts
 * plugin, since sessions have users by name, and messages of third-party plugins name them.
 */
export const userName = (about: string) => line(about, { min: 1, max: 255 })
