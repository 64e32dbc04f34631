import { open, stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'

/** Offset of the write version in the header of a SQLite file: 1 for a rollback journal, 2 for a write-ahead log. */
const WRITE_VERSION_OFFSET = 18
const ROLLBACK_JOURNAL = 1
/** Largest file that is checked at startup after a crash (tenths of a second); `chatctl doctor` checks any size. */
const MAX_QUICK_CHECK_BYTES = 64 * 1024 * 1024

export const RESTORE_HINT = 'restore a backup with `chatctl db restore FILE`'

/**
 * Checks a SQLite file before it is opened. SQLite applies the write-ahead log beside a file even if the file was
 * replaced since, which corrupts it.
 * @returns whether a log exists: the last process was not stopped cleanly
 * @throws DatabaseError when the log cannot belong to this file
 */
export async function checkLog(file: string): Promise<boolean> {
  const log = `${file}-wal`
  const size = await sizeOf(log)
  if (size === 0) return false
  if ((await sizeOf(file)) === 0 || (await writeVersionOf(file)) === ROLLBACK_JOURNAL)
    throw new DatabaseError(
      `${file} was put in the place of another file, whose log ${log} is still there and would destroy it: ` +
        `${RESTORE_HINT}, which deals with the log, or move the log away`,
    )
  return true
}

/** Runs SQLite's quick check unless the file is too large for it. @throws DatabaseError when it is damaged */
export async function checkAfterCrash(db: Knex, file: string) {
  if ((await sizeOf(file)) > MAX_QUICK_CHECK_BYTES) return
  const [{ quick_check: found }] = await db.raw('pragma quick_check(1)')
  if (found !== 'ok') throw new DatabaseError(`the database ${file} is damaged (${oneLine(found)}): ${RESTORE_HINT}`)
}

export const oneLine = (text: string) => text.replace(/\s*\n\s*/g, ' ')

/** Size of a file in bytes; 0 if it does not exist. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(ifMissing))?.size ?? 0
}

/** Inode number of a file, which changes when the file is replaced; 0 if it does not exist. */
export async function fileNumber(file: string): Promise<number> {
  return (await stat(file).catch(ifMissing))?.ino ?? 0
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function writeVersionOf(path: string): Promise<number | undefined> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, WRITE_VERSION_OFFSET)
    return buffer[0]
  } finally {
    await file.close()
  }
}
