import { stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'
import { isDatabaseUrl } from './open.ts'
import { inspectDump, restoreMysql } from './restore-mysql.ts'
import { inspectSqlite, restoreSqlite } from './restore-sqlite.ts'
import type { Backup } from './restored.ts'

export type { Backup } from './restored.ts'

/**
 * Looks at a backup without changing anything.
 * @param where the database that it is for: a URL takes a dump, a path a SQLite file
 * @throws DatabaseError when it is damaged, of something else, or of a newer version
 */
export async function inspectBackup(file: string, where: string): Promise<Backup> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile()) throw new DatabaseError(`there is no file ${file}`)
  return isDatabaseUrl(where) ? inspectDump(file) : inspectSqlite(file)
}

/**
 * Puts a backup in the place of a database, and begins a new generation. Only for whoever holds the lock of the
 * database; check the backup with `inspectBackup` first.
 * @param open opens the database; only called for a URL
 * @returns what the old database is called now, if there was one: a file, or what the names of tables begin with
 * @throws DatabaseError
 */
export async function restore(file: string, where: string, open: () => Promise<Knex>): Promise<string | undefined> {
  if (!isDatabaseUrl(where)) return restoreSqlite(file, where)
  const db = await open()
  try {
    return await restoreMysql(db, where, file)
  } finally {
    await db.destroy()
  }
}
