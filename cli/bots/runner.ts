import { dirname, resolve } from 'node:path'
import type { Bot, BotLog, RunningBot, StartOptions } from '../../bot/index.ts'
import { explain } from '../errors/exit.ts'
import { loadBot } from './loader.ts'
import { watchSources } from './source-watch.ts'

export interface RunParts {
  readonly file: string
  readonly bot: Bot<unknown>
  /** Options of every start. */
  readonly options: StartOptions
  /** For the first start only. */
  readonly replay: StartOptions['replay']
  /** Resolves when the bot has to stop. */
  readonly stopping: Promise<unknown>
  /** Called after the first start. */
  onStarted(running: RunningBot<unknown>): Promise<void>
}

/** Runs a bot until `stopping` resolves. @throws the error that ended the bot */
export async function runBot({ bot, options, replay, stopping, onStarted }: RunParts, log: BotLog) {
  for (let first = true; ; first = false) {
    await using running = await bot.start({ ...options, ...(first && replay && { replay }) })
    if (first) await onStarted(running)
    if ((await Promise.race([stopping, running.done]).catch(unlessRestored)) !== RESTORED) return
    log.warn('the server was restored from a backup: the bot starts again')
  }
}

const RESTORED = Symbol('the server was restored from a backup')

/** RESTORED for that error of a bot. @throws any other error */
function unlessRestored(error: unknown): typeof RESTORED {
  if ((error as { code?: string }).code === 'server_restored') return RESTORED
  throw error
}

const CHANGED = Symbol('a source file has changed')

/**
 * Runs a bot, and restarts it when source files in its folder change. A version that cannot be loaded or started is
 * logged, and the previous one runs on.
 * @throws the error that ended the bot
 */
export async function runWatched(parts: RunParts, log: BotLog) {
  const { file, options, replay, stopping, onStarted } = parts
  const end = new AbortController()
  const sources = watchSources(dirname(resolve(file)), end.signal)
  const nextChange = () => {
    const next = sources.next().then(() => CHANGED)
    // Handled in the race below, which may be over by then.
    next.catch(() => {})
    return next
  }
  let changed = nextChange()
  let current = parts.bot
  let running: RunningBot<unknown> | undefined
  try {
    running = await current.start({ ...options, ...(replay && { replay }) })
    await onStarted(running)
    for (;;) {
      const what = await Promise.race([stopping, running.done, changed]).catch(unlessRestored)
      if (what === RESTORED) {
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
        log.error(`cannot start the changed ${file}: ${explain(error).message}; the previous version runs on`)
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
    log.error(`${explain(error).message}; the previous version runs on`)
    return undefined
  }
}
