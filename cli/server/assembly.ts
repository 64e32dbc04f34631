import { open } from 'node:fs/promises'
import type { Knex } from 'knex'
import pino, { type Logger } from 'pino'
import { type Clock, createServer, ratesOff, type Server, SYSTEM_CLOCK } from '../../core/index.ts'
import type { AnyPlugin } from '../../core/plugin/plugin.ts'
import { databaseTime, isDatabaseUrl, isUnavailable, livingNodes, loadOf, ping } from '../../db/index.ts'
import { assemble, pluginMigrations } from '../../plugins/assembly.ts'
import { BUILT_IN, type KnownLimitSettings, SHIPPED } from '../../plugins/index.ts'
import { explained } from '../errors/explained.ts'
import { DatabaseClock } from './cluster/database-clock.ts'
import { requireKeys } from './cluster/identity.ts'
import type { ClusterOptions } from './cluster/link.ts'
import { Membership } from './cluster/membership.ts'
import { nodePlugin } from './cluster/node-plugin.ts'
import type { NodeState } from './cluster/node-state.ts'
import { openFolder } from './data-folder.ts'
import { openServerDatabase, type ServerDatabase } from './database.ts'
import { DatabaseClaim } from './database-claim.ts'
import { DatabaseEndpoints } from './database-endpoints.ts'
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
  /** How the server joins the other nodes that use the database; without it the server has the database for itself. */
  readonly cluster?: ClusterOptions | undefined
  /** A database that is open already, which the caller closes: several servers of one process share a SQLite connection. */
  readonly database?: ServerDatabase | undefined
  /** Whether to bring an older database up to date; a new one always is. */
  readonly migrate?: boolean
}

export interface ServerHandle {
  readonly server: Server
  /** Resolves when another server may have taken the database, or what the node owned: the server has to stop. */
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
  // Released in reverse order.
  const ends: (() => unknown)[] = []
  const end = async () => {
    for (const act of ends.splice(0).reverse()) await act()
  }
  try {
    const parts = await openParts(options, ends)
    const server = await serverOf(options, parts)
    let closing: Promise<void> | undefined
    parts.membership?.lease.reportWith((): NodeState => {
      const { plugins: _plugins, ...figures } = server.status()
      return { ...figures, isStopping: closing !== undefined }
    })
    return {
      server,
      lost: parts.lost,
      reopenLogs: () => parts.audit.reopen(),
      close: () => (closing ??= server.stop().then(end)),
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** What a server is made of. @param ends gets what releases them, in the order in which they were opened */
async function openParts(options: OpenServerOptions, ends: (() => unknown)[]) {
  const { data, log, cluster } = options
  const paths = dataPaths(data)
  const plugins = assemble(options, options.legacy === undefined ? BUILT_IN : SHIPPED)
  const where = options.db || paths.database
  const folder = await openFolder(data, log)
  ends.push(() => folder.release())
  const audit = await openAudit(paths.audit, log)
  ends.push(() => audit.end())
  const { endpoints, behind } = new DatabaseEndpoints(where, log)
  ends.push(() => endpoints?.close())
  const claim = await (cluster === undefined
    ? DatabaseClaim.alone(data, where, { log, endpoints })
    : DatabaseClaim.joining(where, endpoints))
  ends.push(() => claim.release())
  const migrations = pluginMigrations(plugins)
  const { migrate = false } = options
  const { db, isNew } = options.database ?? (await openServerDatabase(where, { migrations, log, migrate, endpoints }))
  if (options.database === undefined) ends.push(() => db.destroy())
  const shared = cluster === undefined || options.clock !== undefined ? undefined : await sharedClock(db, where, log)
  ends.push(() => shared?.end())
  const clock = options.clock ?? shared ?? SYSTEM_CLOCK
  if (cluster !== undefined) await requireKeys(db, data)
  const keys = await loadKeys(paths, { isNew, log })
  const isShared = cluster !== undefined && (await livingNodes(db, clock)).length > 0
  const memory = await GenerationRecord.begin(data, { db, where, log, isShared })
  ends.push(() => memory.end())
  claim.isUnchanged = () => memory.isUnchanged()
  const { epoch } = memory
  if (cluster === undefined) return { audit, plugins, db, keys, epoch, clock, lost: Promise.race([claim.lost, behind]) }
  const settings = { options: options.pluginOptions ?? {}, files: options.files || 'the data folder' }
  const membership = await Membership.join(cluster, { db, data, keys, clock, log, room: epoch, settings })
  ends.push(() => membership.leave())
  await claim.release()
  const lost = Promise.race([membership.lease.lost, behind])
  return { audit, plugins, db, keys, epoch, clock, lost, membership, endpoints }
}

/** The clock of all nodes; undefined for SQLite, whose nodes are in one process. */
const sharedClock = async (db: Knex, where: string, log: Logger): Promise<DatabaseClock | undefined> =>
  isDatabaseUrl(where) ? DatabaseClock.start({ ask: () => databaseTime(db), log }) : undefined

function serverOf(
  options: OpenServerOptions,
  { audit, plugins, db, keys, epoch, clock, membership, endpoints }: Awaited<ReturnType<typeof openParts>>,
): Promise<Server> {
  const own = membership === undefined ? [] : [nodePlugin(membership, () => endpoints?.name ?? 'SQLite')]
  return createServer({
    ...keys,
    plugins: [...own, ...plugins],
    builtIn: [...own, ...SHIPPED],
    epoch,
    pluginOptions: pluginOptionsOf(options, new Set(plugins.map(({ name }) => name))),
    ...(options.optionsFrom !== undefined && { optionsFrom: options.optionsFrom }),
    db,
    limits: options.limits === 'off' ? ratesOff(plugins) : (options.limits ?? {}),
    isUnavailable,
    databaseLoad: loadOf(db),
    checkDatabase: () => ping(db),
    clock,
    ...(membership !== undefined && { cluster: membership.link.cluster }),
    log: options.log,
    audit: pino(
      { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
      audit,
    ),
  })
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
