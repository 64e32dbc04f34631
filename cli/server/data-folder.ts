import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from 'pino'
import { type DatabaseLock, lockFile } from '../../db/database-lock.ts'
import { CliError } from '../errors/exit.ts'
import { explained } from '../errors/explained.ts'
import { dataPaths } from './paths.ts'

/** Permissions that let others, or the group, write. */
const OTHERS_WRITE = 0o022
/** Any permission of others or the group. */
const OTHERS = 0o077

const octal = (mode: number) => (mode & 0o777).toString(8).padStart(4, '0')

/**
 * Makes a folder and those above it, mode 0700. Node's own `recursive` never ends where a folder cannot be made
 * although its parent is there, as in /proc.
 * @throws CliError that names the path
 */
export async function makeFolder(path: string): Promise<void> {
  const make = async (folder: string) => {
    try {
      await mkdir(folder, { mode: 0o700 })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' && !(await isThere(dirname(folder)))) {
        await make(dirname(folder))
        await mkdir(folder, { mode: 0o700 })
      } else if (code !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error
    }
  }
  await explained(`cannot make the folder ${path}`, () => make(path))
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

/**
 * Makes the data folder if it is missing, and takes the lock of the one server that may use it.
 * @throws CliError when others could change what is in it; DatabaseInUse when another server uses it
 */
export async function openFolder(data: string, log: Logger): Promise<DatabaseLock> {
  await makeFolder(data)
  await checkOwner(data, log)
  return lockFolder(data)
}

/** @throws DatabaseInUse when another server uses the data folder; CliError when the lock cannot be made */
export async function lockFolder(data: string): Promise<DatabaseLock> {
  const path = join(data, 'lock')
  return explained(`cannot lock ${path}`, () => lockFile(path, data))
}

/** Makes nothing. @throws DatabaseInUse when another server uses the data folder */
export async function refuseInUse(data: string) {
  if (await isThere(join(data, 'lock'))) await (await lockFolder(data)).release()
}

/**
 * Refuses a folder that others may write to: they could replace the server's files. One that others may only read is
 * logged; the modes of keys are checked where they are read.
 */
async function checkOwner(data: string, log: Logger) {
  await refuseForeign(data)
  const { database, audit } = dataPaths(data)
  for (const path of [data, database, `${database}-wal`, audit]) {
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) continue
    if (path !== data) await refuseForeign(path)
    if ((found.mode & OTHERS) !== 0)
      log.warn({ path, mode: octal(found.mode) }, 'other users of this machine may read it: chmod go= it')
  }
}

/**
 * @param isSecret true: other users must not be able to read it either
 * @throws CliError if the file or folder belongs to another user, or other users can change it
 */
export async function refuseForeign(path: string, { isSecret = false }: { isSecret?: boolean } = {}) {
  const me = process.getuid?.()
  // Windows has no modes.
  if (me === undefined) return
  const { uid, mode } = await explained(`cannot look at ${path}`, () => stat(path))
  if (uid !== me && uid !== 0)
    throw new CliError(
      'failed',
      `${path} belongs to another user (uid ${uid}), who could change it under the server`,
      `run it as that user, or change the owner: chown ${me} ${path}`,
    )
  const forbidden = isSecret ? OTHERS : OTHERS_WRITE
  if ((mode & forbidden) !== 0)
    throw new CliError(
      'failed',
      `${path} may be ${isSecret ? 'read' : 'changed'} by other users of this machine (mode ${octal(mode)})`,
      `chmod ${isSecret ? 'go=' : 'go-w'} ${path}; a key that others could read should be made anew`,
    )
}
