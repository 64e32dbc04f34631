import { readFileSync } from 'node:fs'
import yargs from 'yargs'
import { COMMANDS } from './commands/index.ts'
import { completeContext } from './completion.ts'
import { EXIT } from './exit.ts'
import { FORMATS } from './output.ts'
import { markWords } from './words.ts'

const EXIT_TEXT = `Exit codes: ${Object.entries(EXIT)
  .map(([name, code]) => `${code} ${name}`)
  .join(', ')}`

/** The whole command line as yargs sees it; parsing it runs the command. Errors are thrown, nothing exits. */
export function program(argv: readonly string[]) {
  const version = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
  return yargs(markWords(argv))
    .scriptName('chatctl')
    .usage('$0 <command>\n\nA headless, encrypted chat server, and every way to talk to it from a shell.')
    .locale('en')
    .version(version)
    .options({
      output: { alias: 'o', type: 'string', choices: FORMATS, describe: 'form of the data on stdout', global: true },
      timeout: { type: 'string', describe: 'for connecting and for each request; default 10s', global: true },
      color: { type: 'boolean', describe: 'colours on a terminal; --no-color turns them off', global: true },
    })
    .command(COMMANDS)
    .completion('completion', 'Print a script that completes commands in bash or zsh', completeContext)
    .strict()
    .demandCommand(1, 'say what to do; `chatctl --help` lists the commands')
    .recommendCommands()
    .help()
    .alias('help', 'h')
    .wrap(Math.min(110, process.stdout.columns || 110))
    .epilogue(EXIT_TEXT)
    .exitProcess(false)
    .fail(false)
}
