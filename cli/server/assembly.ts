import { open } from 'node:fs/promises'
import pino, { type Logger } from 'pino'
import { type Clock, type Cluster, createServer, ratesOff, type Server } from '../../core/index.ts'
import type { AnyPlugin } from '../../core/plugin/plugin.ts'
import { isUnavailable, type LockOptions, loadOf, ping } from '../../db/index.ts'
import { assemble, pluginMigrations } from '../../plugins/assembly.ts'
import { BUILT_IN, type KnownLimitSettings, SHIPPED } from '../../plugins/index.ts'
import { explained } from '../errors/explained.ts'
import { openFolder } from './data-folder.ts'
import { lockDatabase, openServerDatabase } from './database.ts'
import { GenerationRecord } from './generation-record.ts'
import { loadKeys } from './keys.ts'
import { dataPaths } from './paths.ts'
import { pluginOptionsOf } from './plugin-options.ts'

export interface OpenServerOptions {
  /** Folder of the database, the keys, the audit log and the control socket. Made if missing, mode 0700. */
  readonly data: string
  /** URL of a MySQL or MariaDB database; a SQLite file in the data folder if left out. */
  readonly db?: string | undefined
  /** Folder of the files, or `s3://…`; `files` in the data folder if left out. */
  readonly files?: string | undefined
  /** Besides the built-in ones. */
  readonly plugins?: readonly AnyPlugin[]
  /** Names of built-in plugins to leave out. */
  readonly without?: readonly string[]
  readonly pluginOptions?: Readonly<Record<string, unknown>>
  /** Where those were written, for the error when some are wrong. */
  readonly optionsFrom?: string | undefined
  /** `off` lifts the rates per address and user. */
  readonly limits?: KnownLimitSettings | 'off'
  /** Where to listen for clients of the original chat room; nowhere if left out. */
  readonly legacy?: { readonly host: string; readonly port: number } | undefined
  /** Where to serve metrics; nowhere if left out. */
  readonly metrics?: { readonly host: string; readonly port: number } | undefined
  readonly log: Logger
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** The other nodes that use the database; without it the server has the database for itself. */
  readonly cluster?: Cluster
  /** Whether to bring an older database up to date; a new one always is. */
  readonly migrate?: boolean
}

export interface ServerHandle {
  readonly server: Server
  /** Resolves when another server has taken the database after a lost connection: the server has to stop. */
  readonly lost: Promise<Error>
  /** Opens the audit log's file again, after log rotation has renamed it. */
  reopenLogs(): void
  /** Stops the server and closes the database. Calling it again waits for the same end. */
  close(): Promise<void>
}

/**
 * Puts a server together from a data folder: database, keys, audit log, plugins. It listens nowhere yet.
 * @throws SetupError, DatabaseError, CliError
 */
export async function openServer(options: OpenServerOptions): Promise<ServerHandle> {
  const { data, log } = options
  const paths = dataPaths(data)
  const plugins = assemble(options, options.legacy === undefined ? BUILT_IN : SHIPPED)
  const where = options.db || paths.database
  // Released in reverse order.
  const ends: (() => unknown)[] = []
  const end = async () => {
    for (const act of ends.splice(0).reverse()) await act()
  }
  const folder = await openFolder(data, log)
  ends.push(() => folder.release())
  try {
    const audit = await openAudit(paths.audit, log)
    ends.push(() => audit.end())
    const watch = new LockWatch(log)
    if (options.cluster === undefined) {
      const lock = await lockDatabase(data, where, watch.options)
      ends.push(() => lock.release())
    }
    const migrations = pluginMigrations(plugins)
    const { db, isNew } = await openServerDatabase(where, { migrations, log, migrate: options.migrate ?? false })
    ends.push(() => db.destroy())
    const keys = await loadKeys(paths, { isNew, log })
    const memory = await GenerationRecord.begin(data, { db, where, log })
    ends.push(() => memory.end())
    watch.isUnchanged = () => memory.isUnchanged()
    const server = await createServer({
      ...keys,
      plugins,
      builtIn: SHIPPED,
      epoch: memory.epoch,
      pluginOptions: pluginOptionsOf(options, new Set(plugins.map(({ name }) => name))),
      ...(options.optionsFrom !== undefined && { optionsFrom: options.optionsFrom }),
      db,
      limits: options.limits === 'off' ? ratesOff(plugins) : (options.limits ?? {}),
      isUnavailable,
      databaseLoad: loadOf(db),
      checkDatabase: () => ping(db),
      ...(options.clock !== undefined && { clock: options.clock }),
      ...(options.cluster !== undefined && { cluster: options.cluster }),
      log,
      audit: pino(
        { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
        audit,
      ),
    })
    let closing: Promise<void> | undefined
    return {
      server,
      lost: watch.lost,
      reopenLogs: () => audit.reopen(),
      close: () => (closing ??= server.stop().then(end)),
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** State of the lock on a MySQL database, which a lost connection releases. */
class LockWatch {
  /** Settles with the error when others have taken the database. */
  readonly lost: Promise<Error>
  readonly options: LockOptions
  /** Checked before the lock is taken again: whether no other server has used the database meanwhile. */
  isUnchanged: () => Promise<boolean> = async () => true

  constructor(log: Logger) {
    let lose: (error: Error) => void = () => {}
    this.lost = new Promise((resolve) => {
      lose = resolve
    })
    this.options = {
      isUnchanged: () => this.isUnchanged(),
      onChange: (isHeld) =>
        isHeld
          ? log.info('the lock of the database is held again')
          : log.warn('the connection that holds the lock of the database was lost; trying to take it again'),
      onLost: lose,
    }
  }
}

/** The audit log, written synchronously: the line is on disk before the audited action. */
async function openAudit(dest: string, log: Logger) {
  return explained(`cannot write ${dest}`, async () => {
    // Fails here: pino reports it in an event only.
    await (await open(dest, 'a', 0o600)).close()
    const audit = pino.destination({ dest, append: true, mode: 0o600, sync: true })
    audit.on('error', (error) => log.error({ err: error, path: dest }, 'the audit log cannot be written'))
    return audit
  })
}
