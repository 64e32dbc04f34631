#!/usr/bin/env node
import { CliError, EXIT, type ExitName, type Explained, explain } from './errors/exit.ts'
import { unmarked } from './input/marks.ts'
import { printableJson, printableLine } from './output/printable.ts'

// Everything else is loaded on demand: loading takes most of the time of a short command.

async function run(argv: readonly string[]): Promise<ExitName> {
  const [first, ...rest] = argv
  if (first === '__complete') {
    const { complete } = await import('./parser/completion.ts')
    process.stdout.write((await complete(rest)).map((line) => `${line}\n`).join(''))
    return 'ok'
  }
  if (argv.length === 1 && (first === 'version' || first === '--version')) {
    const { version } = await import('./definition/version.ts')
    process.stdout.write(`${version()}\n`)
    return 'ok'
  }
  if (argv.some((word) => word.includes('\ufffd'))) await refuseBytes()
  const words = first === 'help' ? [...rest, '--help'] : [...argv]
  const { Invocation } = await import('./definition/command.ts')
  const invocation = new Invocation(interrupt.signal)
  const { explainWords, refuseNamedWords, requireCommand } = await import('./parser/usage-errors.ts')
  if (first === 'help') await requireCommand(rest)
  await refuseNamedWords(words)
  try {
    const { program } = await import('./parser/program.ts')
    const parser = await program(words, invocation)
    await parser.parseAsync()
  } catch (error) {
    if (invocation.started || error instanceof CliError) throw error
    throw await explainWords(unmarked((error as Error).message), words)
  }
  return invocation.exit
}

/**
 * Refuses arguments that are not UTF-8: Node replaces such bytes by U+FFFD, which would change the text.
 * @throws CliError `usage`, on Linux, where the original bytes can be read
 */
async function refuseBytes() {
  const { isUtf8 } = await import('node:buffer')
  const { readFile } = await import('node:fs/promises')
  const bytes = await readFile('/proc/self/cmdline').catch(() => undefined)
  if (bytes !== undefined && !isUtf8(bytes)) throw new CliError('usage', 'an argument is not UTF-8 text')
}

function report(error: unknown, argv: readonly string[]): ExitName {
  if ((error as NodeJS.ErrnoException)?.code === 'EPIPE') return 'ok'
  if (interrupt.signal.aborted) error = interrupt.signal.reason
  const { exit, message, hint, failure, retryAfter }: Explained = explain(error)
  if (asksForJson(argv)) {
    const details = { code: exit, exit: EXIT[exit], message, failure, hint, retryAfter }
    process.stderr.write(`${printableJson({ error: details })}\n`)
  } else {
    process.stderr.write(`error: ${printableLine(message)}\n`)
    if (hint !== undefined) process.stderr.write(`hint: ${printableLine(hint)}\n`)
  }
  if (process.env.CHATCTL_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return exit
}

/** Reads the raw words: the error may be that they cannot be parsed. */
function asksForJson(argv: readonly string[]): boolean {
  const at = argv.findIndex((word) => word === '-o' || word === '--output')
  const value =
    at >= 0 ? argv[at + 1] : argv.find((word) => /^(-o|--output)=?/.test(word))?.replace(/^(-o|--output)=?/, '')
  return /^(nd)?json$/.test(value ?? process.env.CHATCTL_OUTPUT ?? '')
}

const words = process.argv.slice(2)
const interrupt = new AbortController()
process.on('SIGINT', () => {
  // A second Ctrl-C exits at once.
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort(new CliError('interrupted', 'stopped'))
  // Ends a command that waits for input.
  process.stdin.destroy()
})
// A closed pipe, as in `chatctl listen | head -1`, ends the command without an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') report(new CliError('failed', `cannot write to stdout: ${error.message}`), words)
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed)
})

// Messages on stderr that cannot be written (full disk, closed pipe) are dropped; the command continues.
process.stderr.on('error', () => {})
const exit = await run(words).catch((error) => report(error, words))
process.exitCode = EXIT[exit]
