import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { DatabaseError } from './errors.ts'
import { newEpoch } from './generation.ts'
import { MIGRATIONS_TABLE } from './migrate.ts'
import { type Backup, checkMigrations, stampNow } from './restored.ts'
import { checkLog, fileNumber, oneLine } from './sqlite-file.ts'

/** Files of one SQLite database, by what their names end in. */
const PARTS = ['', '-wal', '-shm', '-journal']
/** End of the name of a file that is complete and only has to take the database's place. */
const READY = /^\.restoring-(\d{17})$/

/**
 * Looks at a backup without changing it.
 * @param file a file that `backUp` wrote, or another whole SQLite database of this program
 * @throws DatabaseError when it is damaged, of something else, or of a newer version
 */
export async function inspectSqlite(file: string): Promise<Backup> {
  await checkLog(file)
  return reading(file, (backup) => {
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
 * Puts a backup in the place of a database, whose files are renamed. Only for whoever holds the lock of the database.
 * Killed anywhere, the database is either the old one or, after `finishRestore`, the restored one.
 * @returns the new name of the database that was there, if there was one
 * @throws DatabaseError as inspectSqlite does
 */
export async function restoreSqlite(file: string, where: string): Promise<string | undefined> {
  if ((await fileNumber(file)) === (await fileNumber(where))) throw new DatabaseError(`${file} is the database itself`)
  const draft = `${where}.restoring`
  await rm(draft, { force: true })
  // Made before SQLite does: nobody else may read it.
  await (await open(draft, 'wx', 0o600)).close()
  try {
    // All of it at one moment, also of a database that was copied together with its log.
    reading(file, (backup) => backup.prepare('vacuum into ?').run(draft))
    beginGeneration(draft)
    await flush(draft)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await rename(draft, `${where}.restoring-${stampNow()}`)
  await flush(dirname(where))
  return finishRestore(where)
}

/**
 * Ends a restore that was cut short, if there is one. Only for whoever holds the lock of the database.
 * @returns the new name of the database that was there
 */
export async function finishRestore(where: string): Promise<string | undefined> {
  const folder = dirname(where)
  const stamps = (await readdir(folder)).flatMap((name) =>
    name.startsWith(basename(where)) ? (READY.exec(name.slice(basename(where).length))?.[1] ?? []) : [],
  )
  const stamp = stamps.sort().at(-1)
  if (stamp === undefined) return undefined
  const aside = `${where}.before-${stamp}`
  let wasThere = false
  for (const part of PARTS) wasThere = (await renameIfThere(where + part, aside + part)) || wasThere
  await rename(join(folder, `${basename(where)}.restoring-${stamp}`), where)
  await flush(folder)
  return wasThere ? aside : undefined
}

/** Gives a copy of a database a generation of its own; one of an older schema has none and gets one when migrated. */
export function beginGeneration(file: string) {
  const db = new Database(file, { fileMustExist: true })
  try {
    const has = db.prepare("select 1 from sqlite_master where type = 'table' and name = 'chatctl_database'").get()
    if (has !== undefined) db.prepare("update chatctl_database set value = ? where name = 'epoch'").run(newEpoch())
  } finally {
    db.close()
  }
}

function reading<T>(file: string, act: (db: Database.Database) => T): T {
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true, fileMustExist: true })
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

/** Of a folder: the names in it. */
async function flush(path: string) {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
