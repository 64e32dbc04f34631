import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Backup, checkMigrations, stampNow } from './backup-contents.ts'
import { DatabaseError } from './errors.ts'
import { newEpoch } from './generation.ts'
import { MIGRATIONS_TABLE } from './migrate.ts'
import { type Database, Sqlite } from './sqlite-driver.ts'
import { checkLog, fileNumber, oneLine } from './sqlite-file.ts'

/** Suffixes of the files of one SQLite database. */
const SUFFIXES = ['', '-wal', '-shm', '-journal']
/** Suffix of a complete copy that only has to be renamed into place. */
const READY = /^\.restoring-(\d{17})$/

/**
 * Validates a backup without changing it.
 * @param file a file that `backUp` wrote, or any other complete SQLite database of chatctl
 * @throws DatabaseError when the file is damaged, no backup of chatctl, or made by a newer version
 */
export async function inspectSqlite(file: string): Promise<Backup> {
  await checkLog(file)
  return withReadOnly(file, (backup) => {
    const damage = backup.pragma('integrity_check(1)', { simple: true })
    if (damage !== 'ok') throw new DatabaseError(`${file} is damaged: ${oneLine(String(damage))}`)
    const tables = backup.prepare("select name from sqlite_master where type = 'table'").pluck().all()
    if (!['userinfo', 'chatmsg', MIGRATIONS_TABLE].every((table) => tables.includes(table)))
      throw new DatabaseError(`${file} is no backup of a database of chatctl`)
    checkMigrations(file, backup.prepare(`select name from ${MIGRATIONS_TABLE}`).pluck().all() as string[])
    const count = (table: string) => Number(backup.prepare(`select count(*) from ${table}`).pluck().get())
    return { accounts: count('userinfo'), messages: count('chatmsg') }
  })
}

/**
 * Replaces a database by a backup; the old files are renamed. The caller holds the database lock. Atomic: if the process
 * is killed, the database is the old one or, after `finishRestore`, the restored one.
 * @returns the new name of the replaced database, if there was one
 * @throws DatabaseError when the backup cannot be read, or is the database itself
 */
export async function restoreSqlite(file: string, path: string): Promise<string | undefined> {
  if ((await fileNumber(file)) === (await fileNumber(path))) throw new DatabaseError(`${file} is the database itself`)
  const draft = `${path}.restoring`
  await rm(draft, { force: true })
  // Created here rather than by SQLite, so that no other user can read it.
  await (await open(draft, 'wx', 0o600)).close()
  try {
    // A consistent snapshot, including changes that are only in the backup's own log.
    withReadOnly(file, (backup) => backup.prepare('vacuum into ?').run(draft))
    beginGeneration(draft)
    await flush(draft)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await rename(draft, `${path}.restoring-${stampNow()}`)
  await flush(dirname(path))
  return finishRestore(path)
}

/**
 * Completes a restore that was interrupted after its copy was ready. The caller holds the database lock.
 * @returns the new name of the replaced database; undefined when there was none, or no restore to complete
 */
export async function finishRestore(path: string): Promise<string | undefined> {
  const folder = dirname(path)
  const stamps = (await readdir(folder)).flatMap((name) =>
    name.startsWith(basename(path)) ? (READY.exec(name.slice(basename(path).length))?.[1] ?? []) : [],
  )
  const stamp = stamps.sort().at(-1)
  if (stamp === undefined) return undefined
  const aside = `${path}.before-${stamp}`
  let wasThere = false
  for (const suffix of SUFFIXES) wasThere = (await renameIfThere(path + suffix, aside + suffix)) || wasThere
  await rename(join(folder, `${basename(path)}.restoring-${stamp}`), path)
  await flush(folder)
  return wasThere ? aside : undefined
}

/** Begins a new generation in a copy of a database; a schema without generations gets one when it is migrated. */
export function beginGeneration(file: string) {
  const db = new Sqlite(file, { fileMustExist: true })
  try {
    const has = db.prepare("select 1 from sqlite_master where type = 'table' and name = 'chatctl_database'").get()
    if (has !== undefined) db.prepare("update chatctl_database set value = ? where name = 'epoch'").run(newEpoch())
  } finally {
    db.close()
  }
}

function withReadOnly<T>(file: string, act: (db: Database) => T): T {
  let db: Database | undefined
  try {
    db = new Sqlite(file, { readonly: true, fileMustExist: true })
    return act(db)
  } catch (error) {
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`cannot read ${file}: ${(error as Error).message}`, { cause: error })
  } finally {
    db?.close()
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}

/** Flushes a file, or the directory entries of a folder, to disk. */
async function flush(path: string) {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
