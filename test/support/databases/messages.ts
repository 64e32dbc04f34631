import type { Knex } from 'knex'
import { raiseHead } from '../../../db/log.ts'
import { isMysql } from '../../../db/migrations/tables.ts'
import type { Database } from '../../../db/sqlite-driver.ts'

/** Rows in one INSERT: Knex combines them with UNION ALL, of which SQLite allows 500. */
const ROWS_PER_INSERT = 400

/** A row of `chatmsg`, as far as a test sets it. */
export interface SeededMessage {
  readonly id?: number
  readonly user_id: number
  readonly target_id: number
  readonly msg_type: number
  readonly seq?: number
  readonly isActive?: number
  readonly isRead?: number
  readonly msg?: string
}

/** Inserts messages past the server, many at once, and lets the server’s numbers go on after them. */
export async function seedMessages(db: Knex, messages: readonly SeededMessage[]) {
  const rows = messages.map((message, index) => ({
    send_time: 1,
    isRead: 1,
    msg: 'seeded',
    isActive: 1,
    client_id: `seeded-${message.target_id}-${message.msg_type}-${index}`,
    lane: message.msg_type === 4 ? -4 : message.user_id,
    ...message,
  }))
  await db.batchInsert('chatmsg', rows, ROWS_PER_INSERT)
  await raiseHead(db)
}

/**
 * Counts the rows of `chatmsg` that statements examine: in SQLite by a function around `isActive`, which each examined row
 * is asked for; in MariaDB by the statistics of the server, which include entries of indexes.
 * @returns runs work, and resolves with the highest count of one statement that reads ranges of the index (SQLite), or with
 *   that of all work (MariaDB)
 */
export const countExamined = (db: Knex): Promise<Count> => (isMysql(db) ? countInMariadb(db) : countInSqlite(db))

export type Count = (work: () => Promise<unknown>) => Promise<number>

async function countInSqlite(db: Knex): Promise<Count> {
  let examined = 0
  const connection: Database = await db.client.acquireConnection()
  connection.function('counted', (value: unknown) => {
    examined++
    return value
  })
  const columns = connection.pragma('table_info(chatmsg)') as { name: string }[]
  const selected = columns.map(({ name }) => (name === 'isActive' ? 'counted(isActive) as isActive' : name))
  connection.exec(`alter table chatmsg rename to chatmsg_rows;
    create view chatmsg as select ${selected.join(', ')} from chatmsg_rows`)
  await db.client.releaseConnection(connection)
  return async (work) => {
    let most = 0
    const before = () => {
      examined = 0
    }
    const after = (_: unknown, { sql }: { sql: string }) => {
      if (/\blane`? = /.test(sql)) most = Math.max(most, examined)
    }
    db.on('query', before)
    db.on('query-response', after)
    await work()
    db.removeListener('query', before)
    db.removeListener('query-response', after)
    return most
  }
}

async function countInMariadb(db: Knex): Promise<Count> {
  await db.raw('set global userstat = 1')
  const read = async () => {
    const [[row]] = await db.raw(
      `select coalesce(sum(rows_read), 0) as examined from information_schema.table_statistics
       where table_schema = database() and table_name = 'chatmsg'`,
    )
    return Number(row.examined)
  }
  return async (work) => {
    const before = await read()
    await work()
    return (await read()) - before
  }
}
