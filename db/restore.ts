import { stat } from 'node:fs/promises'
import type { Knex } from 'knex'
import type { Backup } from './backup-contents.ts'
import { DatabaseError } from './errors.ts'
import { isDatabaseUrl } from './open.ts'
import { inspectDump, restoreMysql } from './restore-mysql.ts'
import { inspectSqlite, restoreSqlite } from './restore-sqlite.ts'

export type { Backup } from './backup-contents.ts'

/**
 * Validates a backup without changing anything.
 * @param location the database to restore into: a URL takes a SQL dump, a path a SQLite file
 * @throws DatabaseError when the file is damaged, no backup of chatctl, or made by a newer version
 */
export async function inspectBackup(file: string, location: string): Promise<Backup> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile()) throw new DatabaseError(`there is no file ${file}`)
  return isDatabaseUrl(location) ? inspectDump(file) : inspectSqlite(file)
}

/**
 * Replaces a database by a backup and begins a new generation. The caller holds the database lock and has validated the
 * backup with `inspectBackup`.
 * @param open opens the database; only called for a URL
 * @returns where the replaced database is kept, if there was one: a file, or the prefix of its renamed tables
 * @throws DatabaseError
 */
export async function restore(file: string, location: string, open: () => Promise<Knex>): Promise<string | undefined> {
  if (!isDatabaseUrl(location)) return restoreSqlite(file, location)
  const db = await open()
  try {
    return await restoreMysql(db, file)
  } finally {
    await db.destroy()
  }
}
