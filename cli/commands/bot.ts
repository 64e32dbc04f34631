import { dirname, resolve } from 'node:path'
import type { StartOptions } from '../../bot/index.ts'
import { botLogin } from '../bot-credentials.ts'
import { rememberServer } from '../contexts.ts'
import { CliError, type ExitName, explain } from '../exit.ts'
import { defineCommand, defineGroup, OPTIONS } from '../shared.ts'
import { watchSources } from '../source-watch.ts'
import { stopSignal } from '../stop-signal.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const run = defineCommand({
  command: 'run <file>',
  describe: 'Run a bot until SIGTERM or Ctrl-C; its log goes to stderr',
  examples: [
    ['CHATCTL_BOT_KEY=… $0 bot run ./dice.ts', 'as the account with the bot’s name'],
    ['$0 bot run ./dice.ts --key-file dice.key --server chat.example:7300', 'the key from a file'],
    ['$0 bot run ./dice.ts --watch', 'start again when a source file changes'],
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
      'log-level': { type: 'string', choices: LEVELS, default: 'info', describe: 'how much to tell' },
    }),
  async run(
    { file, context, server, user, keyFile, consumer, replayFrom, all, watch, logLevel },
    shared,
  ): Promise<ExitName> {
    const { openTalk } = await import('../logger.ts')
    const { loadBot } = await import('../bot-loader.ts')
    const replay = replayFrom === undefined ? undefined : readReplay(replayFrom)
    const bot = await loadBot(file)
    const log = await openTalk(logLevel, process.stderr.isTTY === true)
    const login = await botLogin({ server, context, user, keyFile }, bot.name, shared)
    const options: StartOptions = {
      ...login,
      log,
      timeout: shared.timeout,
      ...(consumer !== undefined && { consumer }),
      ...(all !== undefined && { all }),
    }
    const end = new AbortController()
    const stopping = stopSignal(shared.signal).then((signal) => log.info({ signal }, 'stopping'))
    let running = await bot.start({ ...options, ...(replay && { replay }) })
    try {
      if (login.pin === undefined)
        await rememberServer(login.server, { key: running.client.fingerprint, state: 'verified' })
      if (!watch) await Promise.race([stopping, running.done])
      else {
        const changes = watchSources(dirname(resolve(file)), end.signal)
        for (let changed = changes.next(); ; ) {
          const what = await Promise.race([stopping, running.done, changed.then(() => CHANGED)])
          if (what !== CHANGED) break
          changed = changes.next()
          const next = await loadBot(file, { fresh: true }).catch((error) => explain(error).message)
          if (typeof next === 'string') log.error(`${next}; the bot goes on as it was`)
          else {
            await running.stop()
            running = await next.start(options)
          }
        }
      }
      return 'ok'
    } finally {
      end.abort()
      await running.stop()
    }
  },
})

const CHANGED = Symbol('a source file has changed')

/** An id, or a time in any form that JavaScript reads. */
function readReplay(text: string): NonNullable<StartOptions['replay']> {
  if (/^\d+$/.test(text)) return { after: Number(text) }
  const since = new Date(text)
  if (Number.isNaN(since.getTime()))
    throw new CliError(
      'usage',
      `"${text}" is no id and no time`,
      'a time is such as 2026-11-01 or 2026-11-01T09:00:00Z',
    )
  return { since }
}

export const bot = defineGroup('bot', 'Bots: begin one, and run it', [run])
