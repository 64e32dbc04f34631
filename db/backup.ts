import { appendFile, open, rm } from 'node:fs/promises'
import Database from 'better-sqlite3'
import { DatabaseError } from './errors.ts'
import { newEpoch } from './generation.ts'
import { connectionOf, openMysql } from './mysql.ts'
import { runProgram } from './mysql-programs.ts'
import { isDatabaseUrl } from './open.ts'
import { isHalfRestored, setAsideTables } from './restore-mysql.ts'
import { beginGeneration } from './restore-sqlite.ts'
import { checkLog } from './sqlite-file.ts'

/**
 * Writes all of a database, as it was at one moment, to a new file, while servers use it: a SQLite file again, or the SQL
 * that `mariadb-dump` makes.
 * @throws DatabaseError when the file is there already, or cannot be written
 */
export async function backUp(where: string, file: string) {
  try {
    // Made by us, mode 0600, and never one that was there: a backup must not be written over another.
    await (await open(file, 'wx', 0o600)).close()
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new DatabaseError(exists ? `${file} exists already` : `cannot write ${file}: ${(error as Error).message}`)
  }
  try {
    await (isDatabaseUrl(where) ? dumpMysql(where, file) : copySqlite(where, file))
  } catch (error) {
    await rm(file, { force: true })
    throw error instanceof DatabaseError ? error : new DatabaseError(`the backup failed: ${(error as Error).message}`)
  }
}

/** In one step: a copy in several would start anew with each write of the server. */
async function copySqlite(where: string, file: string) {
  await checkLog(where)
  const source = new Database(where, { fileMustExist: true, readonly: true })
  try {
    // SQLite fills an empty file, and refuses any other.
    source.prepare('vacuum into ?').run(file)
  } finally {
    source.close()
  }
  // Whoever puts it in place by hand begins a new generation, too.
  beginGeneration(file)
}

async function dumpMysql(url: string, file: string) {
  const db = await openMysql(url, { readOnly: true })
  let aside: string[]
  let hasEpoch: boolean
  try {
    if (await isHalfRestored(db)) throw new DatabaseError('the database is restored only in part: finish that first')
    aside = await setAsideTables(db)
    hasEpoch = await db.schema.hasTable('chatctl_database')
  } finally {
    await db.destroy()
  }
  const { database } = connectionOf(url)
  await runProgram(url, {
    names: [
      ['mariadb-dump', '--ssl', '--ssl-verify-server-cert'],
      ['mysqldump', '--ssl-mode=VERIFY_IDENTITY'],
    ],
    task: 'the backup',
    args: [
      ...['--single-transaction', '--skip-lock-tables', '--default-character-set=utf8mb4', '--hex-blob'],
      ...aside.map((table) => `--ignore-table=${database}.${table}`),
      `--result-file=${file}`,
    ],
  })
  // Whoever loads it by hand begins a new generation, too.
  if (hasEpoch)
    await appendFile(file, `UPDATE \`chatctl_database\` SET \`value\` = '${newEpoch()}' WHERE \`name\` = 'epoch';\n`)
}
