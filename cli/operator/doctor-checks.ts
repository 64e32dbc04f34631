import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { type Configured, readConfig } from '../config/server-config.ts'
import type { Shared } from '../definition/command.ts'
import { dataPaths } from '../server/paths.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly detail: string
}

export const finding = (check: string, state: Finding['state'], detail: string): Finding => ({ check, state, detail })

/**
 * The server's part of `chatctl doctor`: the files of a data folder, the settings, the database.
 * @param isNamed whether the folder was named: one that does not exist is then a mistake
 */
export async function checkDataFolder(
  { data, config }: Pick<Shared, 'data' | 'config'>,
  { isNamed }: { isNamed: boolean },
): Promise<Finding[]> {
  const configured = await readConfig({ data, config })
  const folder = await checkFolder(data, isNamed)
  // Nothing in the folder can be read.
  if (folder.state === 'failed') return [folder, ...(await checkConfigFile(configured))]
  return [
    folder,
    ...(await checkFiles(data, configured)),
    ...(await checkConfigFile(configured)),
    ...(await checkDatabase(data, configured)),
  ]
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied: run this as the user who runs the server',
  EPERM: 'permission denied: run this as the user who runs the server',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is a file',
}
const reasonOf = ({ code, message }: NodeJS.ErrnoException) => REASONS[code ?? ''] ?? message

async function checkFolder(data: string, isNamed: boolean): Promise<Finding> {
  try {
    const { uid, mode } = await stat(data)
    // X_OK: without it no file in the folder can be opened.
    await access(data, constants.R_OK | constants.W_OK | constants.X_OK)
    return judge(data, { uid, mode, isSecret: false })
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (isMissing && isNamed)
      return finding(data, 'failed', `there is no such folder: check --data, or start \`chatctl serve --data ${data}\``)
    if (isMissing) return finding(data, 'skipped', 'not there (yet)')
    return finding(data, 'failed', reasonOf(error as NodeJS.ErrnoException))
  }
}

/** Owner and mode by the rules of `serve`, which refuses what fails here. */
function judge(path: string, { uid, mode, isSecret }: { uid: number; mode: number; isSecret: boolean }): Finding {
  const me = process.getuid?.()
  if (me !== undefined && uid !== me && uid !== 0)
    return finding(path, 'failed', `belongs to another user (uid ${uid}): run this, and the server, as that user`)
  const [canWrite, canRead] = [(mode & 0o022) !== 0, (mode & 0o055) !== 0]
  if (canWrite) return finding(path, 'failed', `others may change it: chmod go-w ${path}`)
  if (!canRead) return finding(path, 'ok', 'only yours')
  const state = isSecret ? 'failed' : 'warning'
  return finding(path, state, `others may read it: chmod go= ${path}`)
}

/** Keys and messages must be readable by their owner only. */
async function checkFiles(data: string, { config }: Configured): Promise<Finding[]> {
  const paths = dataPaths(data)
  const secrets = [paths.key, paths.secret]
  const files = [...secrets, ...(config.db === '' ? [paths.database] : []), paths.audit]
  return Promise.all(
    files.map(async (file) => {
      try {
        const { uid, mode } = await stat(file)
        return judge(file, { uid, mode, isSecret: secrets.includes(file) })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return finding(file, 'skipped', 'not there (yet)')
        return finding(file, 'failed', reasonOf(error as NodeJS.ErrnoException))
      }
    }),
  )
}

/** A config file that holds the password of the database must not be readable by others. */
async function checkConfigFile({ config, origin }: Configured): Promise<Finding[]> {
  const file = origin.db
  const hasPassword = URL.canParse(config.db) && new URL(config.db).password !== ''
  const found = hasPassword ? await stat(file).catch(() => undefined) : undefined
  // The URL comes from a flag or the environment.
  if (found === undefined) return []
  const open = (found.mode & 0o044) !== 0
  const detail = open ? `others may read the database’s password in it: chmod go= ${file}` : 'only yours'
  return [finding(file, open ? 'warning' : 'ok', detail)]
}

async function checkDatabase(data: string, { config }: Configured): Promise<Finding[]> {
  const where = config.db || dataPaths(data).database
  const { checkLog, isDatabaseUrl, openDatabase } = await import('../../db/index.ts')
  try {
    if (!isDatabaseUrl(where)) {
      if ((await stat(where).catch(() => undefined)) === undefined) return []
      await access(where, constants.R_OK | constants.W_OK)
      await checkLog(where)
    }
    const db = await openDatabase(where)
    try {
      const clock = isDatabaseUrl(where) ? [await checkClock(db)] : []
      return [await checkContent(db, isDatabaseUrl(where)), await checkSchema(db), ...clock]
    } finally {
      await db.destroy()
    }
  } catch (error) {
    return [finding('database', 'failed', reasonOf(error as NodeJS.ErrnoException))]
  }
}

async function checkContent(db: Knex, isUrl: boolean): Promise<Finding> {
  if (isUrl) return finding('database', 'ok', 'answers')
  const [{ quick_check: found }] = await db.raw('pragma quick_check(1)')
  if (found === 'ok') return finding('database', 'ok', 'ok')
  const { oneLine } = await import('../../db/index.ts')
  return finding('database', 'failed', `${oneLine(found)}; restore a backup with \`chatctl db restore FILE\``)
}

/** Nodes use the time of the database, other servers that of their machine: messages of both should agree. */
async function checkClock(db: Knex): Promise<Finding> {
  const { databaseTime } = await import('../../db/index.ts')
  const { describeDifference, NOTED_DIFFERENCE_MS } = await import('../server/cluster/database-clock.ts')
  const before = Date.now()
  const time = await databaseTime(db)
  const difference = (before + Date.now()) / 2 - time
  return Math.abs(difference) > NOTED_DIFFERENCE_MS
    ? finding('clock', 'warning', `${describeDifference(difference)}: synchronise both (NTP)`)
    : finding('clock', 'ok', 'agrees with that of the database')
}

async function checkSchema(db: Knex): Promise<Finding> {
  const { isHalfRestored, migrationState } = await import('../../db/index.ts')
  const { HALF_RESTORED } = await import('../server/database.ts')
  if (await isHalfRestored(db)) return finding('schema', 'failed', HALF_RESTORED)
  const { pending, newer, cutShort } = await migrationState(db)
  if (newer.length > 0) return finding('schema', 'failed', `of a newer version of chatctl: ${newer.join(', ')}`)
  if (cutShort !== undefined) return finding('schema', 'failed', `half done: run \`chatctl db ${cutShort}\` again`)
  if (pending.length > 0) return finding('schema', 'failed', 'run `chatctl db migrate`')
  return finding('schema', 'ok', 'up to date')
}
