#!/usr/bin/env node
import { CliError, EXIT, type ExitName, type Explained, explain } from './errors/exit.ts'
import { unmarked } from './input/marks.ts'
import { printableJson, printableLine } from './output/printable.ts'

// Everything else is loaded when it is needed: most of the time of a short command goes into loading.

async function run(argv: readonly string[]): Promise<ExitName> {
  const [first, ...rest] = argv
  if (first === '__complete') {
    const { complete } = await import('./parser/completion.ts')
    process.stdout.write((await complete(rest)).map((line) => `${line}\n`).join(''))
    return 'ok'
  }
  if (argv.length === 1 && (first === 'version' || first === '--version')) {
    const { version } = await import('./parser/version.ts')
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
 * Node decodes what it is given, and puts U+FFFD where that is not UTF-8: another text than the one that was meant.
 * @throws CliError `usage`, on Linux, which tells the bytes
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

/** Looks at the words themselves: the error may be that they cannot be parsed. */
function asksForJson(argv: readonly string[]): boolean {
  const at = argv.findIndex((word) => word === '-o' || word === '--output')
  const value =
    at >= 0 ? argv[at + 1] : argv.find((word) => /^(-o|--output)=?/.test(word))?.replace(/^(-o|--output)=?/, '')
  return /^(nd)?json$/.test(value ?? process.env.CHATCTL_OUTPUT ?? '')
}

const words = process.argv.slice(2)
const interrupt = new AbortController()
process.on('SIGINT', () => {
  // Asked twice, someone means it.
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort(new CliError('interrupted', 'stopped'))
  // A command that waits for input has nothing else that would end it.
  process.stdin.destroy()
})
// A reader that went away, as in `chatctl listen | head -1`, ends the command quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') report(new CliError('failed', `cannot write to stdout: ${error.message}`), words)
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed)
})

// Talk that nobody can take, on a full disk or to a reader that went away, is lost: what is done goes on.
process.stderr.on('error', () => {})
const exit = await run(words).catch((error) => report(error, words))
process.exitCode = EXIT[exit]
