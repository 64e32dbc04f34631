import { isUtf8 } from 'node:buffer'
import { addAbortSignal, type Readable } from 'node:stream'
import { CliError } from '../errors/exit.ts'

/** Longest text that a message can carry, in bytes; a server's own limit, `limits.text`, is lower. */
const MAX_TEXT = 200_000

/** A line of stdin, and its number from 1 on. */
export interface Line {
  readonly number: number
  readonly text: string
}

/** Stdin whole, without one trailing line break. @throws CliError when it is not UTF-8, or too long for a message */
export const readText = (): Promise<string> => readAll(process.stdin, 'stdin', MAX_TEXT)

/**
 * Content of a stream, without one trailing line break. Stops reading beyond the limit.
 * @param what its name in errors
 * @param most bytes
 * @throws CliError `usage`
 */
export async function readAll(stream: Readable, what: string, most: number): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length
    // Two bytes more for a trailing line break.
    if (size > most + 2) throw new CliError('usage', `${what} is longer than ${most} bytes`)
    parts.push(part)
  }
  return decoded(Buffer.concat(parts), what).replace(/\r?\n$/, '')
}

/** Lines of stdin as they come, without their ends. @throws CliError for one that is not UTF-8, or too long */
export async function* readLines(signal: AbortSignal): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0)
  let number = 0
  const line = (bytes: Buffer): Line => {
    number++
    return { number, text: decoded(bytes, `line ${number} of stdin`).replace(/\r$/, '') }
  }
  for await (const part of addAbortSignal(signal, process.stdin) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, part])
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const bytes = rest.subarray(0, end)
      rest = rest.subarray(end + 1)
      yield line(bytes)
    }
    if (rest.length > MAX_TEXT)
      throw new CliError('usage', `line ${number + 1} of stdin is longer than ${MAX_TEXT} bytes`, 'send it in parts')
  }
  if (rest.length > 0) yield line(rest)
}

/**
 * Text of stdin as it comes, without one trailing line break: a prompt that ends a line is shown at once, its line break with
 * what follows. @throws CliError for bytes that are not UTF-8
 */
export async function* readPieces(signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (bytes: Uint8Array | undefined) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined })
    } catch {
      throw new CliError('usage', 'stdin is not UTF-8 text')
    }
  }
  let end = ''
  for await (const part of addAbortSignal(signal, process.stdin) as AsyncIterable<Buffer>) {
    const text = end + decode(part)
    end = /\r?\n?$/.exec(text)?.[0] ?? ''
    yield text.slice(0, text.length - end.length)
  }
  yield (end + decode(undefined)).replace(/\r?\n$/, '')
}

function decoded(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw new CliError('usage', `${what} is not UTF-8 text`)
  return bytes.toString('utf8')
}
