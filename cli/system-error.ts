import { CliError } from './exit.ts'

/** What errors of the system and of SQLite mean to an operator, and what to do about them. */
const MEANINGS: Readonly<Record<string, readonly [meaning: string, hint?: string]>> = {
  EACCES: ['permission denied', 'run it as the user who owns it, or name another folder with --data'],
  EPERM: ['permission denied', 'run it as the user who owns it, or name another folder with --data'],
  EROFS: ['the file system is read-only', 'name a folder that can be written to with --data'],
  ENOSPC: ['the disk is full', 'make room, then try again'],
  EDQUOT: ['the disk quota is used up', 'make room, then try again'],
  ENOENT: ['there is no such file or folder', 'check the path'],
  ENOTDIR: ['part of the path is a file, not a folder', 'name a folder with --data'],
  EISDIR: ['it is a folder', 'move it away'],
  EEXIST: ['a file with that name is in the way', 'move it away'],
  ELOOP: ['its symbolic links go in a circle', 'check the path'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter path'],
  EMFILE: ['too many files are open', 'raise the limit of open files (ulimit -n, LimitNOFILE=)'],
  EIO: ['the disk reports an error', 'check the disk and the system’s log'],
  SQLITE_FULL: ['the disk is full', 'make room, then try again'],
  SQLITE_READONLY: ['it cannot be written to', 'check the owner, the mode, and whether the file system is read-only'],
  SQLITE_CANTOPEN: ['it cannot be opened', 'check the owner, the mode, and whether the file system is read-only'],
  SQLITE_IOERR: ['the disk reports an error', 'check the disk and the system’s log'],
  SQLITE_NOTADB: ['it is not a SQLite database', 'move it away, or restore a backup with `chatctl db restore FILE`'],
  SQLITE_CORRUPT: ['it is damaged', 'restore a backup with `chatctl db restore FILE`'],
}

const meaningOf = (error: unknown) => {
  const code = String((error as { code?: unknown } | undefined)?.code)
  // SQLite's codes have endings: SQLITE_IOERR_WRITE.
  return MEANINGS[code] ?? MEANINGS[code.split('_').slice(0, 2).join('_')]
}

/**
 * An error of the system as a sentence that names the path and what to do; any other error as it is.
 * @param doing what failed, with the path: `cannot open /var/lib/chatctl/lock`
 */
export function systemError(error: unknown, doing: string): unknown {
  const [meaning, hint] = meaningOf(error) ?? []
  if (meaning === undefined) return error
  return Object.assign(new CliError('failed', `${doing}: ${meaning}`, hint), { cause: error })
}

/** Runs `act`; what the system refuses is thrown as `systemError` words it. */
export async function explained<T>(doing: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw systemError(error, doing)
  }
}
