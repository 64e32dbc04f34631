import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Knex } from 'knex'
import type { Migrations } from '../../db/index.ts'
import { requireDatabase } from '../client/sessions.ts'
import type { ServeFlags } from '../config/server-config.ts'
import { SERVE_OPTIONS } from '../definition/serve-options.ts'
import { CliError } from '../errors/exit.ts'
import { dataPaths } from '../server/paths.ts'

/** Options of the commands that open a database themselves. */
export const DATABASE_OPTIONS = {
  // Unlike `serve`, they take none from the current folder: see config-file.ts.
  config: { ...SERVE_OPTIONS.config, describe: 'config file of the server (.json, .yaml, .toml, .js, .ts), by name' },
  data: SERVE_OPTIONS.data,
  db: SERVE_OPTIONS.db,
  plugin: SERVE_OPTIONS.plugin,
} as const

export const YES = { yes: { type: 'boolean', describe: 'do it without asking' } } as const

export interface Opened {
  readonly db: Knex
  readonly migrations: Migrations
  /** The file, or the URL without its password. */
  readonly where: string
}

/**
 * Opens the database of a data folder, with the migrations of the plugins it is used with.
 * @param exclusive whether to lock it: refused while a server uses it
 */
export async function withDatabase<T>(
  flags: ServeFlags,
  { exclusive }: { exclusive: boolean },
  act: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { readConfig } = await import('../config/server-config.ts')
  const { config, pluginFolder } = await readConfig(flags)
  const { loadPlugin } = await import('../../core/plugin/plugin-loader.ts')
  const { checkLog, isDatabaseUrl, isHalfRestored, openDatabase, withoutPassword } = await import('../../db/index.ts')
  const { pluginMigrations } = await import('../../plugins/assembly.ts')
  const { HALF_RESTORED } = await import('../server/database.ts')
  const where = config.db || dataPaths(config.data).database
  const plugins = await Promise.all(config.plugins.map((specifier) => loadPlugin(specifier, pluginFolder)))
  // A missing file may be that of an interrupted restore, which is finished first.
  const mayBeRestored = exclusive && existsSync(config.data)
  if (config.db === '' && !mayBeRestored) requireDatabase(config.data)
  const hold = exclusive ? await holdDatabase(config.data, where) : undefined
  try {
    if (config.db === '') requireDatabase(config.data)
    if (!isDatabaseUrl(where)) await checkLog(where)
    const db = await openDatabase(where)
    try {
      if (exclusive && (await isHalfRestored(db))) throw new CliError('failed', HALF_RESTORED)
      return await act({
        db,
        migrations: pluginMigrations(plugins),
        where: isDatabaseUrl(where) ? withoutPassword(where) : where,
      })
    } finally {
      await db.destroy()
    }
  } finally {
    await hold?.release()
  }
}

export interface Hold {
  /** MySQL: the connection that holds the lock. */
  readonly connectionId: number | undefined
  release(): Promise<void>
}

/**
 * Locks a database against servers and other commands that change it; finishes an interrupted restore of a SQLite file.
 * @throws DatabaseInUse when a server uses the database or the data folder
 */
export async function holdDatabase(data: string, where: string): Promise<Hold> {
  const { lockFolder, refuseForeign } = await import('../server/data-folder.ts')
  const { lockDatabase } = await import('../server/database.ts')
  const { finishRestore, isDatabaseUrl } = await import('../../db/index.ts')
  // A database elsewhere may exist before the data folder does.
  const hasFolder = existsSync(data)
  if (hasFolder) await refuseForeign(data)
  const folder = hasFolder ? await lockFolder(data) : undefined
  try {
    const lock = await lockDatabase(data, where)
    if (!isDatabaseUrl(where) && existsSync(dirname(where))) await finishRestore(where)
    return {
      connectionId: lock.connectionId,
      async release() {
        await lock.release()
        await folder?.release()
      },
    }
  } catch (error) {
    await folder?.release()
    throw error
  }
}

/**
 * Asks for confirmation before data is deleted.
 * @param what the consequence, as a sentence without its full stop
 * @throws CliError when the answer is no, or there is nobody to ask
 */
export async function confirm(yes: boolean | undefined, what: string) {
  if (yes) return
  if (!process.stdin.isTTY) throw new CliError('usage', what, 'say --yes to do it')
  const { confirm: ask } = await import('@clack/prompts')
  if ((await ask({ message: `${what}. Do it?`, initialValue: false, output: process.stderr })) !== true)
    throw new CliError('interrupted', 'nothing was changed')
}
