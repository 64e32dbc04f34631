import pc from 'picocolors'
import type { Screen } from './live-text.ts'
import { localTime } from './local-time.ts'
import { printable, printableJson, printableLine } from './printable.ts'

export const FORMATS = ['table', 'json', 'ndjson', 'plain'] as const
export type Format = (typeof FORMATS)[number]

export const isFormat = (word: string | undefined): word is Format => FORMATS.some((format) => format === word)

/** How one value of a record is shown to people; programs get the record as it is. */
export interface Column<R> {
  readonly title: string
  /** Times as Date: the output formats them. */
  readonly value: (record: R) => string | number | boolean | Date | undefined | null
  readonly color?: (record: R) => ((text: string) => string) | undefined
}

type Colors = ReturnType<typeof pc.createColors>

/** Data goes to stdout in the chosen form, messages for people to stderr. A command passes records and never formats JSON. */
export class Output {
  readonly #asked: Format | undefined
  readonly #isTerminal = process.stdout.isTTY === true
  readonly colors: Colors

  constructor(asked: Format | undefined, useColor: boolean | undefined) {
    this.#asked = asked
    this.colors = pc.createColors(this.#isTerminal && useColor !== false && pc.isColorSupported)
  }

  /** Whether JSON was chosen; errors are JSON, too. */
  get isJson(): boolean {
    return this.#asked === 'json' || this.#asked === 'ndjson'
  }

  /** The terminal, if lines for people go there. */
  get screen(): Screen | undefined {
    if (!this.#isTerminal || this.isJson) return undefined
    const { columns, rows } = process.stdout
    // Some terminals report 0.
    return { columns: columns || 80, rows: rows || 24, write: (text) => this.write(text) }
  }

  /** Whether values are separated by tabs: the default where stdout is no terminal. */
  get isPlain(): boolean {
    return this.#format === 'plain'
  }

  /** Whether the output is for people. */
  get isTable(): boolean {
    return this.#format === 'table'
  }

  /** Whether it is one JSON document. */
  get isDocument(): boolean {
    return this.#asked === 'json'
  }

  get #format(): Format {
    return this.#asked ?? (this.#isTerminal ? 'table' : 'plain')
  }

  /** Several records: a JSON array, one line each, a table, or values separated by tabs. */
  async list<R extends object>(records: readonly R[], columns: readonly Column<R>[], empty?: string): Promise<void> {
    switch (this.#format) {
      case 'json':
        return this.write(`${printableJson(records, 2)}\n`)
      case 'ndjson':
        return this.write(records.map((record) => `${printableJson(record)}\n`).join(''))
      case 'plain':
        return this.write(records.map((record) => plainLine(record, columns)).join(''))
      case 'table':
        if (records.length === 0) return this.note(empty ?? 'nothing')
        return this.write(`${await this.#table(records, columns)}\n`)
    }
  }

  /** One record: an object, or its fields line by line. `main` is the one value that `plain` prints. */
  async item<R extends object>(record: R, columns: readonly Column<R>[], main?: Column<R>): Promise<void> {
    switch (this.#format) {
      case 'json':
        return this.write(`${printableJson(record, 2)}\n`)
      case 'ndjson':
        return this.write(`${printableJson(record)}\n`)
      case 'plain':
        return this.write(plainLine(record, main ? [main] : columns))
      case 'table': {
        const width = Math.max(...columns.map(({ title }) => title.length))
        const lines = columns.map(
          ({ title, value }) => `${this.colors.dim(title.padEnd(width))}  ${cell(value(record), localTime)}`,
        )
        return this.write(`${lines.join('\n')}\n`)
      }
    }
  }

  /** One record of a stream: NDJSON unless stdout is a terminal. Resolves when it is written (back-pressure). */
  record(record: object, forPeople: () => string): Promise<void> {
    const machine =
      this.#asked === 'json' || this.#asked === 'ndjson' || (this.#asked === undefined && !this.#isTerminal)
    return this.write(machine ? `${printableJson(record)}\n` : `${forPeople()}\n`)
  }

  /** One record with one main text: the text alone, or the record as JSON. */
  text(record: object, text: string): Promise<void> {
    return this.write(this.isJson ? `${printableJson(record)}\n` : `${printable(text)}\n`)
  }

  /** A line for people, on stderr; never data. */
  note(text: string) {
    process.stderr.write(`${printable(text)}\n`)
  }

  /** @throws the stream's error, EPIPE when the reader has gone */
  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write(data, (error) => (error ? reject(error) : resolve()))
    })
  }

  async #table<R extends object>(records: readonly R[], columns: readonly Column<R>[]): Promise<string> {
    const { toTable } = await import('./table.ts')
    const head = columns.map(({ title }) => ({ text: title, color: this.colors.dim, isWhole: false }))
    const rows = records.map((record) =>
      columns.map(({ value, color }) => ({
        text: cell(value(record), localTime),
        color: color?.(record),
        isWhole: typeof value(record) !== 'string',
      })),
    )
    return toTable(head, rows, this.#isTerminal ? process.stdout.columns || undefined : undefined)
  }
}

const toIso = (date: Date) => date.toISOString()

const cell = (value: ReturnType<Column<object>['value']>, toText: (date: Date) => string): string =>
  printableLine(value instanceof Date ? toText(value) : String(value ?? ''))

/** Values separated by tabs. */
const plainLine = <R extends object>(record: R, columns: readonly Column<R>[]): string =>
  `${columns.map(({ value }) => cell(value(record), toIso)).join('\t')}\n`
