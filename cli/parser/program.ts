import { COMMANDS, commandOf } from '../commands/index.ts'
import { INVOCATION, type Invocation } from '../definition/command.ts'
import { GLOBAL_OPTIONS } from '../definition/command-facts.ts'
import { version } from '../definition/version.ts'
import { EXIT } from '../errors/exit.ts'
import { markWords } from '../input/marks.ts'
import { yargs } from './yargs.ts'

const EXIT_TEXT = `Exit codes: ${Object.entries(EXIT)
  .map(([name, code]) => `${code} ${name}`)
  .join(', ')}`

/** The commands that these words name, for speed; all of them where none does. A name may also be an option's value. */
async function loadCommands(argv: readonly string[]) {
  const named = new Set(argv.map(commandOf).filter((name) => name !== undefined))
  const names = Object.keys(COMMANDS).filter((name) => named.size === 0 || named.has(name))
  return Promise.all(names.map(async (name) => COMMANDS[name]?.()))
}

/**
 * The command line as yargs sees it; parsing it runs the command. Errors are thrown, nothing exits.
 * @param argv the words, with `help` in front put last as an option
 * @param invocation the run that the command belongs to; none where only help is asked for
 */
export async function program(argv: readonly string[], invocation?: Invocation) {
  const commands = (await loadCommands(argv)).filter((command) => command !== undefined)
  return yargs(markWords(argv))
    .scriptName('chatctl')
    .usage('$0 <command>\n\nA headless, encrypted chat server, and every way to talk to it from a shell.')
    .locale('en')
    .version(version())
    .options(GLOBAL_OPTIONS)
    .middleware((args) => {
      Object.assign(args, { [INVOCATION]: invocation })
    })
    .command(commands)
    .strict()
    .demandCommand(1)
    .help()
    .alias('help', 'h')
    .wrap(Math.min(110, process.stdout.columns || 110))
    .epilogue(EXIT_TEXT)
    .exitProcess(false)
    .fail(false)
}
