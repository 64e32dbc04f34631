import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { openDatabase } from '../../../db/index.ts'
import { tempFolder } from '../temp-folder.ts'
import { newDatabase } from './mariadb.ts'

/** URL or file of an empty database of the kind under test; it is dropped when the test ends. */
export async function emptyPlace(t: ExecutionContext): Promise<string> {
  const server = process.env.TEST_DATABASE
  if (server === undefined) return join(await tempFolder(t), 'chat.db')
  const { url, drop } = await newDatabase(server)
  t.teardown(drop)
  return url
}

/** Drops a database before the test ends, for a test that needs hundreds. */
export async function dropPlace(where: string) {
  if (process.env.TEST_DATABASE === undefined) return rm(where)
  const db = await openDatabase(where)
  try {
    await db.raw('drop database ??', [new URL(where).pathname.slice(1)])
  } finally {
    await db.destroy()
  }
}

/** An empty database of the kind under test. */
export async function emptyDatabase(t: ExecutionContext): Promise<{ db: Knex; where: string }> {
  const where = await emptyPlace(t)
  const db = await openDatabase(where)
  t.teardown(() => db.destroy())
  return { db, where }
}

/** The definitions of all tables and indexes, as the database stores them. */
export async function schemaOf(db: Knex): Promise<string[]> {
  if (process.env.TEST_DATABASE === undefined) {
    const rows: { sql: string }[] = await db('sqlite_master').whereNotNull('sql').orderBy('name').select('sql')
    // SQLite edits the text when a column is added or dropped: compare it without white space.
    return rows.map(({ sql }) => sql.replace(/\s+/g, ' '))
  }
  const [tables] = await db.raw('show tables')
  const names: string[] = tables.map((row: object) => Object.values(row)[0])
  return Promise.all(
    names.sort().map(async (name) => {
      const [[row]] = await db.raw('show create table ??', [name])
      return row['Create Table'].replace(/ AUTO_INCREMENT=\d+/, '')
    }),
  )
}
