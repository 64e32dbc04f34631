import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Knex } from 'knex'
import { type Backup, checkMigrations, stampNow } from './backup-contents.ts'
import { DatabaseError } from './errors.ts'
import { renewEpoch } from './generation.ts'
import { MIGRATIONS_TABLE, migrationState, refuseNewer } from './migrate.ts'
import { serverOf } from './mysql.ts'
import { runProgram } from './mysql-programs.ts'

/** Exists while a restore is in progress: the database then holds neither the old nor the new state. */
const MARK_TABLE = 'chatctl_restore'
const ASIDE = /^before_\d{17}_/
/** Longest table name in MySQL. */
const MAX_NAME_CHARS = 64

/**
 * Validates a dump of `mariadb-dump` or `mysqldump` without loading it.
 * @throws DatabaseError when the dump is truncated, no backup of chatctl, made by a newer version, or names a database
 */
export async function inspectDump(file: string): Promise<Backup> {
  const tables = new Set<string>()
  const migrations: string[] = []
  let inMigrations = false
  let isComplete = false
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      // Values escape their line breaks, so a statement can be recognized by the start of a line.
      if (/^(use|create database|\/\*!\d+ create database)\b/i.test(line))
        throw new DatabaseError(`${file} names the database that it goes to: make it without --databases`)
      const table = /^CREATE TABLE (?:IF NOT EXISTS )?`([^`]+)`/i.exec(line)?.[1]
      if (table !== undefined) tables.add(table)
      inMigrations ||= line.startsWith(`INSERT INTO \`${MIGRATIONS_TABLE}\``)
      if (inMigrations) migrations.push(...[...line.matchAll(/\(\d+,'([^']+)'/g)].map((match) => match[1] as string))
      if (inMigrations && line.endsWith(';')) inMigrations = false
      isComplete ||= line.startsWith('-- Dump completed')
    }
  } catch (error) {
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`cannot read ${file}: ${(error as Error).message}`, { cause: error })
  }
  if (!['userinfo', 'chatmsg', MIGRATIONS_TABLE].every((table) => tables.has(table)))
    throw new DatabaseError(`${file} is no backup of a database of chatctl, as \`chatctl db backup\` makes it`)
  if (!isComplete) throw new DatabaseError(`${file} is cut short: it lacks the last line of a dump`)
  checkMigrations(file, migrations)
  return {}
}

/** Whether a restore was interrupted: the database must not be used. */
export const isHalfRestored = (db: Knex): Promise<boolean> => db.schema.hasTable(MARK_TABLE)

/** Tables that earlier restores have renamed; they are not part of the database any more. */
export const setAsideTables = async (db: Knex): Promise<string[]> =>
  (await tablesOf(db)).filter((name) => ASIDE.test(name))

/**
 * Replaces the tables of a database by those of a dump; the old ones are renamed. The caller holds the database lock. A
 * dump that fails to load is rolled back; the next restore starts over after one that was killed.
 * @returns the prefix of the renamed tables, if there were any
 * @throws DatabaseError when the dump fails to load or is of a newer version
 */
export async function restoreMysql(db: Knex, file: string): Promise<string | undefined> {
  const stamp = await begin(db)
  const prefix = `before_${stamp}_`
  const task = 'the restore'
  try {
    await runProgram(serverOf(db), {
      names: [
        ['mariadb', '--ssl', '--ssl-verify-server-cert'],
        ['mysql', '--ssl-mode=VERIFY_IDENTITY'],
      ],
      task,
      // Binary mode disables client commands in the file.
      args: ['--default-character-set=utf8mb4', '--binary-mode', '--batch'],
      input: file,
    })
    const state = await migrationState(db)
    refuseNewer(state)
    if (state.done.includes('0008_database')) await renewEpoch(db)
  } catch (error) {
    await dropAll(db)
    const aside = (await tablesOf(db)).filter((name) => name.startsWith(prefix))
    await rename(
      db,
      aside.map((name) => [name, name.slice(prefix.length)]),
    )
    await db.schema.dropTable(MARK_TABLE)
    throw error
  }
  const wasThere = (await tablesOf(db)).some((name) => name.startsWith(prefix))
  await db.schema.dropTable(MARK_TABLE)
  return wasThere ? prefix : undefined
}

/** Renames the existing tables; after an interrupted restore, drops what it had loaded. @returns stamp of the names */
async function begin(db: Knex): Promise<string> {
  const earlier = (await isHalfRestored(db)) ? await db(MARK_TABLE).first() : undefined
  if (earlier === undefined) {
    const names = (await tablesOf(db)).filter(isInUse)
    const tooLong = names.find((name) => `before_${stampNow()}_${name}`.length > MAX_NAME_CHARS)
    if (tooLong !== undefined)
      throw new DatabaseError(`the table ${tooLong} cannot be set aside, since its name is too long: rename it first`)
    await db.schema.dropTableIfExists(MARK_TABLE)
    await db.schema.createTable(MARK_TABLE, (table) => {
      table.string('stamp', 32).notNullable()
      table.integer('tables').notNullable()
    })
    await db(MARK_TABLE).insert({ stamp: stampNow(), tables: names.length })
    return begin(db)
  }
  const { stamp, tables } = earlier
  const names = (await tablesOf(db)).filter(isInUse)
  const isSetAside = tables === 0 || (await tablesOf(db)).some((name) => name.startsWith(`before_${stamp}_`))
  if (isSetAside) await dropAll(db)
  else
    await rename(
      db,
      names.map((name) => [name, `before_${stamp}_${name}`]),
    )
  return stamp
}

const isInUse = (name: string) => name !== MARK_TABLE && !ASIDE.test(name)

/** Renames all tables in one statement, which is atomic. */
async function rename(db: Knex, pairs: readonly (readonly [from: string, to: string])[]) {
  if (pairs.length > 0) await db.raw(`rename table ${pairs.map(() => '?? to ??').join(', ')}`, pairs.flat())
}

/** Drops all tables except renamed ones, on one connection: `foreign_key_checks` is a session setting. */
async function dropAll(db: Knex) {
  const names = (await tablesOf(db)).filter(isInUse)
  await db.transaction(async (trx) => {
    await trx.raw('set session foreign_key_checks = 0')
    for (const name of names) await trx.schema.dropTable(name)
    await trx.raw('set session foreign_key_checks = 1')
  })
}

async function tablesOf(db: Knex): Promise<string[]> {
  const rows: { name: string }[] = await db('information_schema.tables')
    .whereRaw("table_schema = database() and table_type = 'BASE TABLE'")
    .orderBy('table_name')
    .select({ name: 'table_name' })
  return rows.map(({ name }) => name)
}
