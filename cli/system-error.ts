/** What the system says, in words: Node's own name the call and not what to do. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'part of the path is not a folder',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file or folder',
  EEXIST: 'it exists already',
  EMFILE: 'too many open files',
  ELOOP: 'too many symbolic links',
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

/** Folders that may be the wrong ones, and how others are named. */
const HINT = 'a server’s folder is named with --data, that of your logins with XDG_CONFIG_HOME'

/** An error of a call to the system that names a file; undefined for every other one. */
export function explainSystemError(error: Error): { message: string; hint: string } | undefined {
  const { code = '', syscall = '', path } = error as NodeJS.ErrnoException
  const reason = REASONS[code]
  if (reason === undefined || path === undefined) return undefined
  const [call = ''] = syscall.split(' ')
  return { message: `${ACTS[call] ?? `${call} fails:`} ${path}: ${reason}`, hint: HINT }
}

/** Only the reason, where the file has been named already. */
export const reasonOf = (error: unknown): string =>
  REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message
