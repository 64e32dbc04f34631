import { dirname, resolve } from 'node:path'
import type { Bot, BotLog, RunningBot, StartOptions } from '../../bot/index.ts'
import { explain } from '../errors/exit.ts'
import { loadBot } from './loader.ts'
import { watchSources } from './source-watch.ts'

export interface RunParts {
  readonly file: string
  readonly bot: Bot<unknown>
  /** How the bot is started, each time. */
  readonly options: StartOptions
  /** For the first start only. */
  readonly replay: StartOptions['replay']
  /** Resolves when it is to end. */
  readonly stopping: Promise<unknown>
  /** Told of the bot when it is at work for the first time. */
  started(running: RunningBot<unknown>): Promise<void>
}

/** Runs a bot until it is told to stop. @throws what ended the bot otherwise */
export async function runBot({ bot, options, replay, stopping, started }: RunParts, log: BotLog) {
  for (let first = true; ; first = false) {
    await using running = await bot.start({ ...options, ...(first && replay && { replay }) })
    if (first) await started(running)
    if ((await Promise.race([stopping, running.done]).catch(beginsAnew)) !== ANEW) return
    log.warn('the server was restored from a backup: the bot begins anew')
  }
}

const ANEW = Symbol('the bot begins anew')

/** @throws any other error than that the server was restored from a backup */
function beginsAnew(error: unknown): typeof ANEW {
  if ((error as { code?: string }).code === 'server_restored') return ANEW
  throw error
}

const CHANGED = Symbol('a source file has changed')

/**
 * Runs a bot, and starts it again when source files in its folder have changed. One that cannot be loaded or started is
 * told of, and the one before goes on.
 * @throws what ended the bot otherwise
 */
export async function runWatched(parts: RunParts, log: BotLog) {
  const { file, options, replay, stopping, started } = parts
  const end = new AbortController()
  const sources = watchSources(dirname(resolve(file)), end.signal)
  const nextChange = () => {
    const next = sources.next().then(() => CHANGED)
    // Looked at in the race below, which may have ended.
    next.catch(() => {})
    return next
  }
  let changed = nextChange()
  let current = parts.bot
  let running: RunningBot<unknown> | undefined
  try {
    running = await current.start({ ...options, ...(replay && { replay }) })
    await started(running)
    for (;;) {
      const what = await Promise.race([stopping, running.done, changed]).catch(beginsAnew)
      if (what === ANEW) {
        running = await current.start(options)
        continue
      }
      if (what !== CHANGED) break
      changed = nextChange()
      const next = await loadChanged(file, log)
      if (next === undefined) continue
      await running.stop()
      try {
        running = await next.start(options)
        current = next
      } catch (error) {
        log.error(`cannot start what ${file} has become: ${explain(error).message}; the bot goes on as it was`)
        running = await current.start(options)
      }
    }
  } finally {
    end.abort()
    await running?.stop()
  }
}

async function loadChanged(file: string, log: BotLog): Promise<Bot<unknown> | undefined> {
  try {
    return await loadBot(file, { fresh: true })
  } catch (error) {
    log.error(`${explain(error).message}; the bot goes on as it was`)
    return undefined
  }
}
