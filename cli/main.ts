#!/usr/bin/env node
import { CliError, EXIT, type ExitName, type Explained, explain } from './exit.ts'
import { printableJson, printableLine } from './printable.ts'
import { program } from './program.ts'
import { chosenExit, hasStarted, setInterrupt } from './shared.ts'
import { unmarked } from './words.ts'

async function run(argv: string[]): Promise<ExitName> {
  await program(argv).parseAsync()
  return chosenExit()
}

function report(error: unknown, argv: readonly string[]): ExitName {
  if ((error as NodeJS.ErrnoException)?.code === 'EPIPE') return 'ok'
  // The words before the one being completed need make no sense yet.
  if (argv.includes('--get-yargs-completions')) return 'ok'
  if (interrupt.signal.aborted) error = interrupt.signal.reason
  const isYargs = !hasStarted() && !(error instanceof CliError)
  const explained = isYargs ? usageError(unmarked((error as Error).message), argv) : explain(error)
  const { exit, message, hint, failure, retryAfter } = {
    hint: undefined,
    failure: undefined,
    retryAfter: undefined,
    ...explained,
  }
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

/** A text such as "-5 degrees" is taken for options. */
function usageError(message: string, argv: readonly string[]): Explained {
  if (message.startsWith('Not enough non-option arguments')) {
    const command = argv.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2)
    const hint = `\`${['chatctl', ...command, '--help'].join(' ')}\` shows what goes there`
    return { exit: 'usage', message: 'words are missing', hint }
  }
  const end = argv.indexOf('--')
  const isOption = /^(--[a-z][a-z-]*|-[oh])(=|$)/
  const hasDash = argv.some((word, index) => /^-./.test(word) && !isOption.test(word) && (end === -1 || index < end))
  const hint = 'words that begin with - and are no options go last, after --: chatctl send bob -- "-5 degrees"'
  return {
    exit: 'usage',
    message: message.replace(/\s*\n\s*/g, ' '),
    ...(hasDash && message.startsWith('Unknown argument') && { hint }),
  }
}

/** Looks at the words themselves: the error may be that they cannot be parsed. */
function asksForJson(argv: readonly string[]): boolean {
  const at = argv.findIndex((word) => word === '-o' || word === '--output')
  const value =
    at >= 0 ? argv[at + 1] : argv.find((word) => /^(-o|--output)=?/.test(word))?.replace(/^(-o|--output)=?/, '')
  return /^(nd)?json$/.test(value ?? process.env.CHATCTL_OUTPUT ?? '')
}

const interrupt = new AbortController()
setInterrupt(interrupt.signal)
process.on('SIGINT', () => {
  // Asked twice, someone means it.
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort(new CliError('interrupted', 'stopped'))
  // A command that waits for input has nothing else that would end it.
  process.stdin.destroy()
})
// A reader that went away, as in `chatctl listen | head -1`, ends the command quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

// Talk that nobody can take, on a full disk or to a reader that went away, is lost: what is done goes on.
process.stderr.on('error', () => {})

const words = process.argv.slice(2)
const exit = await run(words).catch((error) => report(error, words))
process.exitCode = EXIT[exit]
