import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pino, { type Logger } from 'pino'
import {
  type Clock,
  createServer,
  generateKeyPair,
  type KeyPair,
  type Limits,
  type Server,
  SetupError,
} from '../core/index.ts'
import { exportPrivateKey, keyPairFromPrivateKey } from '../core/noise/index.ts'
import type { AnyPlugin } from '../core/plugin.ts'
import {
  isDatabaseUrl,
  isEmpty,
  isHalfAdopted,
  isUnavailable,
  type Migrations,
  migrate,
  migrationState,
  openDatabase,
  readEpoch,
} from '../db/index.ts'
import { assemble, pluginMigrations } from '../plugins/assembly.ts'
import { BUILT_IN, legacy } from '../plugins/index.ts'
import { roomPaths } from './paths.ts'

export interface RoomOptions {
  /** Folder of the database, the keys, the audit log and the control socket. Made if missing, mode 0700. */
  readonly data: string
  /** URL of a MySQL or MariaDB database; a SQLite file in the data folder if left out. */
  readonly db?: string | undefined
  /** Besides the built-in ones. */
  readonly plugins?: readonly AnyPlugin[]
  /** Names of built-in plugins to leave out. */
  readonly without?: readonly string[]
  readonly pluginOptions?: Readonly<Record<string, unknown>>
  /** Where those were written, for the error when some are wrong. */
  readonly optionsFrom?: string | undefined
  readonly limits?: Partial<Limits>
  /** Where to listen for clients of the original chat room; nowhere if left out. */
  readonly legacy?: { readonly host: string; readonly port: number } | undefined
  readonly log: Logger
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** Whether to bring an older database up to date; a new one always is. */
  readonly migrate?: boolean
}

export interface Room {
  readonly server: Server
  /** Stops the server and closes the database. Calling it again waits for the same end. */
  close(): Promise<void>
}

/**
 * Puts a server together from a data folder: database, keys, audit log, plugins. It listens nowhere yet.
 * @throws SetupError, DatabaseError
 */
export async function openRoom(options: RoomOptions): Promise<Room> {
  const { data, log } = options
  const paths = roomPaths(data)
  await mkdir(data, { recursive: true, mode: 0o700 })
  const plugins = assemble(options, options.legacy === undefined ? BUILT_IN : [...BUILT_IN, legacy])
  const lock = lockFolder(data)
  const audit = pino.destination({ dest: paths.audit, append: true, mode: 0o600, sync: true })
  const ends: (() => unknown)[] = [() => audit.end(), () => lock.close()]
  try {
    const where = options.db || paths.database
    // Made before SQLite does: the files beside it then get the same mode.
    if (!isDatabaseUrl(where)) await (await open(where, 'a', 0o600)).close()
    await prepareSchema(where, pluginMigrations(plugins), options.migrate ?? false)
    const db = await openDatabase(where, { statementTimeout: STATEMENT_MS })
    ends.unshift(() => db.destroy())
    const server = await createServer({
      staticKey: await loadKey(paths.key),
      secret: await loadSecret(paths.secret),
      plugins,
      builtIn: [...BUILT_IN, legacy],
      epoch: await readEpoch(db),
      pluginOptions: optionsOf(options),
      ...(options.optionsFrom !== undefined && { optionsFrom: options.optionsFrom }),
      db,
      limits: options.limits ?? {},
      isUnavailable,
      ...(options.clock !== undefined && { clock: options.clock }),
      log,
      audit: pino(
        { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
        audit,
      ),
    })
    let closing: Promise<void> | undefined
    return {
      server,
      close() {
        closing ??= (async () => {
          await server.stop()
          for (const end of ends) await end()
        })()
        return closing
      },
    }
  } catch (error) {
    for (const end of ends) await end()
    throw error
  }
}

/** With a listener for the original's clients, new passwords are hashed so that those can log in with them, too. */
function optionsOf({ legacy: where, pluginOptions = {} }: RoomOptions): Readonly<Record<string, unknown>> {
  if (where === undefined) return pluginOptions
  const of = (plugin: string) => (pluginOptions[plugin] ?? {}) as object
  return {
    ...pluginOptions,
    registration: { preHash: 'md5x10', ...of('registration') },
    legacy: { ...of('legacy'), ...where },
  }
}

/** How long the database may take for one statement before it counts as down. */
const STATEMENT_MS = 4000

/** With a connection of its own: a migration may take longer than any statement of a running server. */
async function prepareSchema(where: string, plugins: Migrations, wanted: boolean) {
  const db = await openDatabase(where)
  try {
    await bringUpToDate(db, plugins, wanted)
  } finally {
    await db.destroy()
  }
}

async function bringUpToDate(db: Awaited<ReturnType<typeof openDatabase>>, plugins: Migrations, wanted: boolean) {
  if (await isHalfAdopted(db))
    throw new SetupError('the database is adopted only in part: run the same `chatctl db adopt` again')
  const isNew = await isEmpty(db)
  const { pending } = await migrationState(db, plugins)
  if (pending.length === 0) return
  if (isNew || wanted) await migrate(db, plugins)
  else
    throw new SetupError(
      `the database needs ${pending.length} migration(s): ${pending.join(', ')}. Make a copy of it, then run ` +
        '`chatctl db migrate` with the same --data and --plugin, or `chatctl serve --migrate`',
    )
}

/**
 * One server a data folder: a lock that ends with the process, however that ends.
 * @throws SetupError
 */
function lockFolder(data: string): { close(): void } {
  const lock = new Database(join(data, 'lock'), { timeout: 0 })
  try {
    lock.exec('begin exclusive')
    return lock
  } catch (error) {
    lock.close()
    throw new SetupError(`another server uses ${data}`, { cause: error })
  }
}

async function loadKey(path: string): Promise<KeyPair> {
  const bytes = await loadOrMake(path, () => exportPrivateKey(generateKeyPair()))
  return keyPairFromPrivateKey(bytes)
}

const loadSecret = (path: string) => loadOrMake(path, () => randomBytes(32))

/** 32 bytes as base64 in a file that only its owner may read. */
async function loadOrMake(path: string, make: () => Buffer): Promise<Buffer> {
  try {
    const bytes = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64')
    if (bytes.length === 32) return bytes
    throw new SetupError(`${path} does not hold a key of 32 bytes in base64`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const bytes = make()
  await writeFile(path, `${bytes.toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  return bytes
}
