import { resolve } from 'node:path'
import type { StartOptions } from '../../bot/index.ts'
import { botLogin } from '../bots/credentials.ts'
import type { RunParts } from '../bots/runner.ts'
import { rememberIfWritable } from '../config/known-servers.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { OPTIONS } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import { toDate } from '../input/moment.ts'
import { stopSignal } from '../server/stop-signal.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const run = defineCommand({
  command: 'run <file>',
  describe: 'Run a bot until SIGTERM or Ctrl-C; its log goes to stderr',
  examples: [
    ['CHATCTL_BOT_KEY=… $0 bot run ./dice.ts', 'as the account with the bot’s name'],
    ['$0 bot run ./dice.ts --key-file dice.key --server chat.example:7300', 'the key from a file'],
    ['$0 bot run ./dice.ts --watch', 'while you write it'],
    ['$0 bot run ./dice.ts --replay-from 2026-11-01', 'handle again what came since then'],
  ],
  builder: (args) =>
    args.positional('file', { type: 'string', demandOption: true, describe: 'module that exports the bot' }).options({
      context: OPTIONS.context,
      server: OPTIONS.server,
      pin: OPTIONS.pin,
      user: { type: 'string', describe: 'the account of the key; the bot’s name if left out', group: 'Who' },
      'key-file': {
        type: 'string',
        describe: 'file that holds the key; - is stdin; else CHATCTL_BOT_KEY',
        group: 'Who',
      },
      consumer: { type: 'string', describe: 'name under which the server keeps what was handled' },
      'replay-from': { type: 'string', describe: 'id of a message, or a time: handle again what came after it' },
      all: { type: 'boolean', describe: 'at its very first start, begin with all messages there are' },
      watch: { type: 'boolean', describe: 'start again when a source file in the bot’s folder changes' },
      'log-level': { type: 'string', choices: LEVELS, default: 'info', describe: 'lowest level that is logged' },
    }),
  async run(args, shared) {
    const { file, consumer, all, watch, logLevel } = args
    const { openStderrLog } = await import('../output/logger.ts')
    const { loadBot } = await import('../bots/loader.ts')
    const { runBot, runWatched } = await import('../bots/runner.ts')
    const replay = args.replayFrom === undefined ? undefined : readReplay(args.replayFrom)
    const bot = await loadBot(file)
    const { server, context, user, keyFile } = args
    const login = await botLogin({ server, context, user, keyFile }, bot.name, shared)
    const log = await openStderrLog(logLevel, process.stderr.isTTY === true)
    const { runningHandler } = await import('../../bot/index.ts')
    // Not fatal: the event would be delivered again at the next start, and end the bot again.
    process.on('unhandledRejection', (error) =>
      log.error({ err: error, handler: runningHandler() }, 'unhandled promise rejection; the bot goes on'),
    )
    const stopping = stopSignal(shared.signal).then((signal) => log.info({ signal }, 'stopping'))
    const parts: RunParts = {
      file,
      bot,
      replay,
      stopping,
      options: {
        ...login,
        log,
        timeout: shared.timeout,
        ...(consumer !== undefined && { consumer }),
        ...(all !== undefined && { all }),
      },
      async onStarted({ client: { fingerprint } }) {
        if (login.pin !== undefined) return
        const why = await rememberIfWritable(login.server, { key: fingerprint, state: 'verified' })
        if (why !== undefined) log.warn(why)
      },
    }
    try {
      await (watch ? runWatched(parts, log) : runBot(parts, log))
    } catch (error) {
      if (refusalOf(error)?.failure !== 'login_failed' || login.key === undefined) throw error
      const hint = `on the server's machine \`chatctl users passwd ${login.user} --bot-key\` makes a new one`
      throw new CliError('authentication', `that is not the key of the account "${login.user}"`, hint)
    }
  },
})

/** The id of a message, or a time: local unless it names its zone. */
function readReplay(text: string): NonNullable<StartOptions['replay']> {
  if (/^\d+$/.test(text)) return { after: Number(text) }
  const since = toDate(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text)
  if (since === undefined)
    throw new CliError(
      'usage',
      `--replay-from: "${text}" is no id and no time`,
      'a time is such as 2026-11-01 or 2026-11-01T09:00, with Z or +01:00 after it where it is not local',
    )
  if (since.getTime() > Date.now()) throw new CliError('usage', `--replay-from: ${text} is still to come`)
  return { since }
}

const create = defineCommand({
  command: 'new <name>',
  describe: 'Write the folder of a new bot: a bot, a test of it, and what npm needs',
  examples: [
    ['$0 bot new dice', 'into ./dice'],
    ['$0 bot new dice --dir bots/dice', 'into another folder'],
    ['$0 bot new helper --template llm', 'a bot that answers with a language model; its tests need none'],
  ],
  builder: (args) =>
    args
      .positional('name', { type: 'string', demandOption: true, describe: 'name of the bot: a-z, 0-9 and dashes' })
      .options({
        dir: { type: 'string', describe: 'folder to write; default ./NAME' },
        template: {
          type: 'string',
          choices: ['commands', 'llm'] as const,
          default: 'commands' as const,
          describe: 'commands: a bot of commands and questions; llm: one around a language model',
        },
      }),
  async run({ name, dir, template }, { output }) {
    const { checkName, nextSteps, writeTemplate } = await import('../authoring/template.ts')
    checkName(name)
    const folder = resolve(dir ?? name)
    const files = await writeTemplate(template === 'llm' ? 'bot-llm' : 'bot', folder, [['{{name}}', name]])
    const made = { title: 'written', value: ({ folder }: { folder: string }) => folder }
    const inIt = { title: 'files', value: ({ files }: { files: string[] }) => files.join(', ') }
    await output.item({ name, folder, files }, [made, inIt], made)
    for (const step of nextSteps(folder, ['npm test'])) output.note(step)
    output.note('its README.md goes on from there')
  },
})

export const bot = defineGroup(
  'bot',
  'Bots: begin one, and run it',
  [
    ['$0 bot new dice', 'into ./dice'],
    ['$0 users create dice --bot --data ./room > dice.key', 'its account'],
    ['$0 bot run ./dice/bot.ts --key-file dice.key', 'runs it'],
  ],
  [create, run],
)
