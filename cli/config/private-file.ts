import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError } from '../errors/exit.ts'
import { reasonOf } from '../errors/system-error.ts'

/** Files of the person who runs the command: kept logins and known servers. */

const FOLDER_HINT = 'the folder is that of XDG_CONFIG_HOME or HOME: check its owner and mode, or name another'

const isCode = (error: unknown, ...codes: string[]) => codes.includes((error as NodeJS.ErrnoException).code ?? '')

/** The text of a file; undefined if there is none. @throws CliError `failed` that names the file */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw new CliError('failed', `cannot read ${file}: ${reasonOf(error)}`, FOLDER_HINT)
  }
}

/**
 * Writes a file that only its owner may read, whole or not at all, also if the power fails: the content is on the disk
 * before the file gets its name. Several processes may write the same file; the last one wins.
 * @throws CliError `failed` that names the file
 */
export async function writePrivate(file: string, content: string): Promise<void> {
  const folder = dirname(file)
  // Not the process id: processes of several containers can have the same one.
  const draft = `${file}.${randomUUID()}`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    try {
      await writeFlushed(draft, content)
      await rename(draft, file)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
    await flushFolder(folder)
  } catch (error) {
    throw notWritten(file, error)
  }
}

/** Makes a file unless there is one of that name; false if there is. @throws CliError */
export async function makePrivate(file: string, content: string): Promise<boolean> {
  if ((await readIfThere(file)) !== undefined) return false
  await writePrivate(file, content)
  return true
}

/** The error of a file that could not be written, see `isReadOnly`. */
class NotWritten extends CliError {
  readonly isReadOnly: boolean

  constructor(file: string, cause: Error) {
    super('failed', `cannot write ${file}: ${reasonOf(cause)}`, FOLDER_HINT)
    this.isReadOnly = isCode(cause, 'EROFS', 'EACCES', 'EPERM')
  }
}

const notWritten = (file: string, error: unknown) => new NotWritten(file, error as Error)

/** Whether a write failed because the folder may only be read, as a mounted secret. */
export const isReadOnly = (error: unknown): boolean => error instanceof NotWritten && error.isReadOnly

async function writeFlushed(file: string, content: string) {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** So that the new name outlives a power cut, too. */
async function flushFolder(folder: string) {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems cannot flush a folder.
    if (!isCode(error, 'EINVAL', 'EPERM', 'ENOTSUP')) throw error
  } finally {
    await handle.close()
  }
}
