import type { z } from 'zod'

/** Schemas of a command's arguments, in the order they are written in; zod parses the words. */
export interface ArgumentSchemas {
  readonly [name: string]: z.ZodType
}

export type ArgumentsOf<A extends ArgumentSchemas> = { readonly [Name in keyof A]: z.output<A[Name]> }

/** What a command is called with, or why it cannot be: a line for the one who wrote it. */
export type Parsed = { readonly values: Record<string, unknown> } | { readonly problem: string }

const COMMAND_NAME = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,31}$/u
const ARGUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** One command: its name, what it is for, and how its words are read. */
export class Command {
  readonly name: string
  readonly about: string
  readonly #args: readonly (readonly [string, z.ZodType])[]

  /** @throws TypeError for a definition that no words could fit */
  constructor(name: string, about: string, args: ArgumentSchemas) {
    if (!COMMAND_NAME.test(name))
      throw new TypeError(`"${name}" cannot name a command: letters, digits, _ and -, at most 32`)
    this.name = name
    this.about = about
    this.#args = Object.entries(args)
    let optionalSeen = false
    for (const [index, [argument, schema]] of this.#args.entries()) {
      // Others, such as numbers, do not stay in the order they were written in.
      if (!ARGUMENT_NAME.test(argument)) throw new TypeError(`/${name}: "${argument}" cannot name an argument`)
      if (isRest(schema) && index !== this.#args.length - 1)
        throw new TypeError(`/${name}: ${argument} takes all words that are left, so it comes last`)
      const isOptional = mayBeMissing(schema)
      if (optionalSeen && !isOptional && !isRest(schema))
        throw new TypeError(`/${name}: ${argument} is required and comes after an optional argument`)
      optionalSeen ||= isOptional
    }
  }

  /** Reads the words after the command's name. */
  async parse(text: string): Promise<Parsed> {
    const words = splitWords(text)
    if (words === undefined) return { problem: 'a quotation mark is not closed' }
    const values: Record<string, unknown> = {}
    for (const [name, schema] of this.#args) {
      const given = isRest(schema) ? words.splice(0) : words.shift()
      if (given === undefined && !mayBeMissing(schema)) return { problem: `${name} is missing` }
      const isEmptyRest = Array.isArray(given) && given.length === 0 && mayBeMissing(schema)
      const read = await schema.safeParseAsync(isEmptyRest ? undefined : given)
      if (!read.success) return { problem: `${name}: ${problemOf(schema, given, read.error)}` }
      values[name] = read.data
    }
    if (words.length > 0) return { problem: `"${words[0]}" is one word too many` }
    return { values }
  }

  /** One line: how it is written. */
  usage(prefix: string): string {
    const args = this.#args.map(([name, schema]) => {
      const choices = choicesOf(schema)?.join('|')
      const shown = `${choices === undefined ? name : `${name}: ${choices}`}${isRest(schema) ? '…' : ''}`
      return mayBeMissing(schema) ? `[${shown}]` : `<${shown}>`
    })
    return [`${prefix}${this.name}`, ...args].join(' ')
  }

  /** Several lines: what it is for, and what its arguments are. */
  help(prefix: string): string {
    const args = this.#args.flatMap(([name, schema]) => {
      const notes = [schema.description, choicesText(schema), defaultOf(schema)].filter((note) => note !== undefined)
      return notes.length === 0 ? [] : [`  ${name}: ${notes.join('; ')}`]
    })
    return [this.usage(prefix), this.about, ...args].join('\n')
  }
}

/** Words between spaces; one in quotation marks may hold spaces. Undefined when a quotation mark is not closed. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  for (const [, double, single, plain, open] of text.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']\S*)|(["'])/g)) {
    if (open !== undefined) return undefined
    words.push(double ?? single ?? plain ?? '')
  }
  return words
}

/** The name that was probably meant; undefined if none is near. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, distance: distance(word.toLowerCase(), name.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.name : undefined
}

/** How many letters to add, drop or change (Levenshtein). */
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

/** A schema and what it wraps, from the outside in. By name of the kind: the bot may have another copy of zod. */
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

/** What is wrong with a word, for the one who wrote it. */
function problemOf(schema: z.ZodType, given: string | string[] | undefined, error: z.ZodError): string {
  // A word that is no number was made NaN before zod looked at it.
  if (has(schema, 'number') && typeof given === 'string' && Number.isNaN(Number(given)))
    return `"${given}" is no number`
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
