import { open, stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'

/** Where the header of a SQLite file says how it is written: 1 with a rollback journal, 2 with a write-ahead log. */
const FORMAT_OFFSET = 18
const ROLLBACK_JOURNAL = 1
/** Checked after a crash up to this size, some tenths of a second; `chatctl doctor` checks any. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024

export const RESTORE_HINT = 'restore a backup with `chatctl db restore FILE`'

/**
 * Looks at a SQLite file before it is opened. SQLite writes whatever is in the log beside it into the file, also into
 * another one that was put in its place: that destroys it.
 * @returns whether a log is there, left by a process that did not stop properly
 * @throws DatabaseError when the log cannot be of this file
 */
export async function checkLog(file: string): Promise<boolean> {
  const log = `${file}-wal`
  const size = await sizeOf(log)
  if (size === 0) return false
  const replaced =
    (await sizeOf(file)) === 0 || (await formatOf(file)) === ROLLBACK_JOURNAL
      ? `${file} was put in the place of another file, whose log ${log} is still there and would destroy it`
      : undefined
  if (replaced !== undefined)
    throw new DatabaseError(`${replaced}: ${RESTORE_HINT}, which deals with the log, or move the log away`)
  return true
}

/** Quick check of a database that is not too large for it. @throws DatabaseError when it is damaged */
export async function checkAfterCrash(db: Knex, file: string) {
  if ((await sizeOf(file)) > QUICK_CHECK_BYTES) return
  const [{ quick_check: found }] = await db.raw('pragma quick_check(1)')
  if (found !== 'ok') throw new DatabaseError(`the database ${file} is damaged (${oneLine(found)}): ${RESTORE_HINT}`)
}

export const oneLine = (text: string) => text.replace(/\s*\n\s*/g, ' ')

/** Bytes of a file; 0 when there is none. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(ifMissing))?.size ?? 0
}

/** The number of a file in its file system, which another file in its place does not have; 0 when there is none. */
export async function fileNumber(file: string): Promise<number> {
  return (await stat(file).catch(ifMissing))?.ino ?? 0
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

async function formatOf(path: string): Promise<number | undefined> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, FORMAT_OFFSET)
    return buffer[0]
  } finally {
    await file.close()
  }
}
