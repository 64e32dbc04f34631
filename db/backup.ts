import { execFile } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { DatabaseError } from './errors.ts'
import { connectionOf } from './mysql.ts'
import { isDatabaseUrl } from './open.ts'

const run = promisify(execFile)

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
  const source = new Database(where, { fileMustExist: true, readonly: true })
  try {
    // SQLite fills an empty file, and refuses any other.
    source.prepare('vacuum into ?').run(file)
  } finally {
    source.close()
  }
}

async function dumpMysql(url: string, file: string) {
  const { host, port, socketPath, user, password, database, ssl } = connectionOf(url)
  const place = socketPath === undefined ? [`--host=${host}`, `--port=${port}`] : [`--socket=${socketPath}`]
  const consistent = ['--single-transaction', '--skip-lock-tables', '--default-character-set=utf8mb4', '--hex-blob']
  const args = ['--no-defaults', ...place, `--user=${user}`, ...consistent, `--result-file=${file}`, database]
  // Not an argument: those are for everyone on this machine to see.
  const env = { ...process.env, MYSQL_PWD: password }
  const programs = [
    ['mariadb-dump', '--ssl', '--ssl-verify-server-cert'],
    ['mysqldump', '--ssl-mode=VERIFY_IDENTITY'],
  ] as const
  for (const [program, ...tls] of programs) {
    try {
      // After --no-defaults, which has to be the first.
      await run(program, [args[0] as string, ...(ssl ? tls : []), ...args.slice(1)], { env })
      return
    } catch (error) {
      const { code, stderr } = error as { code?: string; stderr?: string }
      if (code !== 'ENOENT') throw new DatabaseError(`the backup failed: ${stderr?.trim()}`)
    }
  }
  throw new DatabaseError('a backup of MySQL needs the program mariadb-dump or mysqldump: install the client package')
}
