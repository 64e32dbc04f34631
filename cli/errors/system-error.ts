/** Meaning and hint of errors of the system and of SQLite, by code: Node's messages have neither. */
const MEANINGS: Readonly<Record<string, readonly [meaning: string, hint?: string]>> = {
  EACCES: ['permission denied', 'run it as the user who owns it, or name another folder with --data'],
  EPERM: ['permission denied', 'run it as the user who owns it, or name another folder with --data'],
  EROFS: ['the file system is read-only', 'name a folder that can be written to with --data'],
  ENOSPC: ['the disk is full', 'make room, then try again'],
  EDQUOT: ['the disk quota is used up', 'make room, then try again'],
  ENOENT: ['there is no such file or folder', 'check the path'],
  ENOTDIR: ['part of the path is a file, not a folder', 'name a folder with --data'],
  EISDIR: ['it is a folder', 'move it away'],
  EEXIST: ['a file with that name is in the way', 'move it away, or name another folder with --data'],
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

/** Meaning and hint of an error of the system or of SQLite; undefined for any other. */
export const meaningOf = (error: unknown) => {
  const code = String((error as { code?: unknown } | undefined)?.code)
  // SQLite's codes have endings: SQLITE_IOERR_WRITE.
  return MEANINGS[code] ?? MEANINGS[code.split('_').slice(0, 2).join('_')]
}

const ACTS: Readonly<Record<string, string>> = {
  mkdir: 'cannot make the folder',
  mkdtemp: 'cannot make a folder in',
  open: 'cannot open',
  read: 'cannot read',
  write: 'cannot write',
  rename: 'cannot rename',
  unlink: 'cannot delete',
  scandir: 'cannot list',
  spawn: 'cannot run',
}

const HINT = 'a server’s folder is named with --data, that of your logins with XDG_CONFIG_HOME'

/** An error of a call to the system that names a file; undefined for every other one. */
export function explainSystemError(error: Error): { message: string; hint: string } | undefined {
  const { syscall = '', path } = error as NodeJS.ErrnoException
  const [reason] = meaningOf(error) ?? []
  if (reason === undefined || path === undefined) return undefined
  const [call = ''] = syscall.split(' ')
  return { message: `${ACTS[call] ?? `${call} fails:`} ${path}: ${reason}`, hint: HINT }
}

/** Only the reason, where the file has been named already. */
export const reasonOf = (error: unknown): string => meaningOf(error)?.[0] ?? (error as Error).message
