import { appendFile, open, rm } from 'node:fs/promises'
import { DatabaseError } from './errors.ts'
import { newEpoch } from './generation.ts'
import { openMysql, serverOf } from './mysql.ts'
import { runProgram } from './mysql-programs.ts'
import { isDatabaseUrl } from './open.ts'
import { isHalfRestored, setAsideTables } from './restore-mysql.ts'
import { beginGeneration } from './restore-sqlite.ts'
import { Sqlite } from './sqlite-driver.ts'
import { checkLog } from './sqlite-file.ts'

/**
 * Writes a consistent snapshot of a database in use to a new file: a SQLite file, or SQL of `mariadb-dump`.
 * @throws DatabaseError when the file exists already or cannot be written
 */
export async function backUp(location: string, file: string) {
  try {
    // Created exclusively, with mode 0600: neither readable by others nor written over an earlier backup.
    await (await open(file, 'wx', 0o600)).close()
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new DatabaseError(
      exists ? `${file} exists already: name a new file` : `cannot write ${file}: ${(error as Error).message}`,
    )
  }
  try {
    await (isDatabaseUrl(location) ? dumpMysql(location, file) : copySqlite(location, file))
  } catch (error) {
    await rm(file, { force: true })
    throw error instanceof DatabaseError ? error : new DatabaseError(`the backup failed: ${(error as Error).message}`)
  }
}

/** Copies in one statement: SQLite's incremental backup would restart with each write of the server. */
async function copySqlite(path: string, file: string) {
  await checkLog(path)
  const source = new Sqlite(path, { fileMustExist: true, readonly: true })
  try {
    // VACUUM INTO accepts an existing file only if it is empty.
    source.prepare('vacuum into ?').run(file)
  } finally {
    source.close()
  }
  // The copy gets its own generation, in case it is put in place by hand instead of by `chatctl db restore`.
  beginGeneration(file)
}

async function dumpMysql(url: string, file: string) {
  const db = await openMysql(url, { readOnly: true })
  const server = serverOf(db)
  let aside: string[]
  let hasEpoch: boolean
  try {
    if (await isHalfRestored(db))
      throw new DatabaseError('a restore of the database was interrupted: finish that first')
    aside = await setAsideTables(db)
    hasEpoch = await db.schema.hasTable('chatctl_database')
  } finally {
    await db.destroy()
  }
  await runProgram(server, {
    names: [
      ['mariadb-dump', '--ssl', '--ssl-verify-server-cert'],
      ['mysqldump', '--ssl-mode=VERIFY_IDENTITY'],
    ],
    task: 'the backup',
    args: [
      ...['--single-transaction', '--skip-lock-tables', '--default-character-set=utf8mb4', '--hex-blob'],
      ...aside.map((table) => `--ignore-table=${server.database}.${table}`),
      `--result-file=${file}`,
    ],
  })
  // As in copySqlite: the dump gets its own generation.
  if (hasEpoch)
    await appendFile(file, `UPDATE \`chatctl_database\` SET \`value\` = '${newEpoch()}' WHERE \`name\` = 'epoch';\n`)
}
