import type { z } from 'zod'

/** zod schemas of a command's arguments, in the order of the words. */
export interface ArgumentSchemas {
  readonly [name: string]: z.ZodType
}

export type ArgumentsOf<A extends ArgumentSchemas> = { readonly [Name in keyof A]: z.output<A[Name]> }

/** Parsed arguments, or one line for the sender that says what is wrong. */
export type Parsed = { readonly values: Record<string, unknown> } | { readonly problem: string }

const COMMAND_NAME = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,31}$/u
const ARGUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Name, description and argument parser of a command. */
export class Command {
  readonly name: string
  readonly about: string
  readonly #args: readonly (readonly [string, z.ZodType])[]

  /** @throws TypeError for an invalid name, or arguments in an order that cannot be parsed */
  constructor(name: string, about: string, args: ArgumentSchemas) {
    if (!COMMAND_NAME.test(name))
      throw new TypeError(`"${name}" cannot name a command: letters, digits, _ and -, at most 32`)
    this.name = name
    this.about = about
    this.#args = Object.entries(args)
    let optionalSeen = false
    for (const [index, [argument, schema]] of this.#args.entries()) {
      // Numeric keys of an object lose their place in the order.
      if (!ARGUMENT_NAME.test(argument)) throw new TypeError(`/${name}: "${argument}" cannot name an argument`)
      if (isRest(schema) && index !== this.#args.length - 1)
        throw new TypeError(`/${name}: ${argument} takes all remaining words, so it must be last`)
      const isOptional = mayBeMissing(schema)
      if (optionalSeen && !isOptional && !isRest(schema))
        throw new TypeError(`/${name}: ${argument} is required and comes after an optional argument`)
      optionalSeen ||= isOptional
    }
  }

  /** Parses the text after the command's name. */
  async parse(text: string): Promise<Parsed> {
    const words = splitWords(text)
    if (words === undefined) return { problem: 'a quotation mark is not closed' }
    const values: Record<string, unknown> = {}
    for (const [name, schema] of this.#args) {
      const given = isRest(schema) ? words.splice(0) : words.shift()
      if (given === undefined && !mayBeMissing(schema)) return { problem: `${name} is missing` }
      const isEmptyRest = Array.isArray(given) && given.length === 0 && mayBeMissing(schema)
      const parsed = await schema.safeParseAsync(isEmptyRest ? undefined : given)
      if (!parsed.success) return { problem: `${name}: ${problemOf(schema, given, parsed.error)}` }
      values[name] = parsed.data
    }
    if (words.length > 0) return { problem: `"${words[0]}" is one word too many` }
    return { values }
  }

  /** Synopsis in one line. */
  usage(prefix: string): string {
    const args = this.#args.map(([name, schema]) => {
      const choices = choicesOf(schema)?.join('|')
      const shown = `${choices === undefined ? name : `${name}: ${choices}`}${isRest(schema) ? '…' : ''}`
      return mayBeMissing(schema) ? `[${shown}]` : `<${shown}>`
    })
    return [`${prefix}${this.name}`, ...args].join(' ')
  }

  /** Synopsis, description and arguments, one per line. */
  help(prefix: string): string {
    const args = this.#args.flatMap(([name, schema]) => {
      const notes = [schema.description, choicesText(schema), defaultOf(schema)].filter((note) => note !== undefined)
      return notes.length === 0 ? [] : [`  ${name}: ${notes.join('; ')}`]
    })
    return [this.usage(prefix), this.about, ...args].join('\n')
  }
}

/** Splits at white space outside quotation marks. Undefined when a quotation mark is not closed. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  for (const [, double, single, plain, open] of text.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']\S*)|(["'])/g)) {
    if (open !== undefined) return undefined
    words.push(double ?? single ?? plain ?? '')
  }
  return words
}

/** The name with the smallest edit distance; undefined if that exceeds a third of the word. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, distance: distance(word.toLowerCase(), name.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.name : undefined
}

/** Levenshtein distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j++) {
      const change = (row[j] ?? 0) + (other[j] === letter ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** A schema and those it wraps, outermost first. Compared by type name, since the bot may load another copy of zod. */
function* layers(schema: z.ZodType): Generator<{ type: string; defaultValue?: unknown; entries?: object }> {
  for (let inner: z.ZodType | undefined = schema; inner !== undefined; ) {
    const definition = inner.def as unknown as { type: string; innerType?: z.ZodType; in?: z.ZodType }
    yield definition
    inner = definition.innerType ?? definition.in
  }
}

const has = (schema: z.ZodType, ...types: string[]) => [...layers(schema)].some(({ type }) => types.includes(type))
const isRest = (schema: z.ZodType) => has(schema, 'array')
const mayBeMissing = (schema: z.ZodType) => has(schema, 'optional', 'default', 'prefault')

/** Error text for the sender. */
function problemOf(schema: z.ZodType, given: string | string[] | undefined, error: z.ZodError): string {
  // Coercion turns other words into NaN, which zod's own message would name.
  if (has(schema, 'number') && typeof given === 'string' && Number.isNaN(Number(given)))
    return `"${given}" is not a number`
  return error.issues.map(({ message }) => message).join('; ')
}

function choicesOf(schema: z.ZodType): string[] | undefined {
  const choices = [...layers(schema)].find(({ type }) => type === 'enum')?.entries
  return choices === undefined ? undefined : Object.values(choices).map(String)
}

function choicesText(schema: z.ZodType): string | undefined {
  const choices = choicesOf(schema)
  return choices && `one of ${choices.join(', ')}`
}

function defaultOf(schema: z.ZodType): string | undefined {
  const layer = [...layers(schema)].find(({ type }) => type === 'default' || type === 'prefault')
  return layer === undefined ? undefined : `default ${JSON.stringify(layer.defaultValue)}`
}
