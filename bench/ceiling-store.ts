import { createConnection, type ResultSetHeader } from 'mysql2/promise'
import { isDatabaseUrl } from '../db/index.ts'
import { Sqlite } from '../db/sqlite-driver.ts'

/** Stores a message for each of these senders in one flushed commit, and returns the ids. */
export type Keep = (senders: readonly number[]) => number[] | Promise<number[]>

const TABLE = (id: string) =>
  `create table message (id ${id}, sender int, target int, sent_at bigint, text varchar(4000))`
const INDEX = 'create index conversation on message (target, id)'
const INSERT = 'insert into message (sender, target, sent_at, text) values'

/** The store of the ceiling's server: one table with one index. @param where URL of a MySQL database, or a SQLite file */
export const openStore = (where: string, text: string): Keep | Promise<Keep> =>
  isDatabaseUrl(where) ? inMysql(where, text) : inSqlite(where, text)

function inSqlite(file: string, text: string): Keep {
  const db = new Sqlite(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(`${TABLE('integer primary key')}; ${INDEX}`)
  const insert = db.prepare(`${INSERT} (?, ?, ?, ?)`)
  const [begin, commit] = [db.prepare('begin immediate'), db.prepare('commit')]
  return (senders) => {
    begin.run()
    const ids = senders.map((sender) => Number(insert.run(sender, sender ^ 1, Date.now(), text).lastInsertRowid))
    commit.run()
    return ids
  }
}

/** One INSERT for all rows, which is a transaction of its own: its ids are consecutive. */
async function inMysql(url: string, text: string): Promise<Keep> {
  const db = await createConnection(url)
  await db.query(TABLE('bigint auto_increment primary key'))
  await db.query(INDEX)
  return async (senders) => {
    const rows = senders.map((sender) => [sender, sender ^ 1, Date.now(), text])
    const [{ insertId }] = await db.query<ResultSetHeader>(`${INSERT} ?`, [rows])
    return senders.map((_, index) => insertId + index)
  }
}
