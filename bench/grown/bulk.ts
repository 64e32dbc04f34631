import { createConnection } from 'mysql2/promise'
import { isDatabaseUrl } from '../../db/index.ts'
import { Sqlite } from '../../db/sqlite-driver.ts'

type Row = readonly (string | number | null)[]

/** Inserts many rows with the driver alone, which takes microseconds a row. */
export interface Bulk {
  insert(table: string, columns: readonly string[], rows: readonly Row[]): Promise<void>
  /** Runs one statement. */
  run(sql: string): Promise<void>
  close(): Promise<void>
}

/** @param where URL of a MySQL database, or path of a SQLite file */
export const openBulk = (where: string): Promise<Bulk> =>
  isDatabaseUrl(where) ? openMysql(where) : Promise.resolve(openSqlite(where))

function openSqlite(file: string): Bulk {
  const db = new Sqlite(file)
  // Rows are inserted in an order that the indexes do not have; a cut-short seed is thrown away.
  db.pragma('cache_size = -262144')
  db.pragma('synchronous = OFF')
  return {
    async insert(table, columns, rows) {
      const statement = db.prepare(
        `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
      )
      db.transaction(() => {
        for (const row of rows) statement.run(row)
      })()
    },
    async run(sql) {
      db.exec(sql)
    },
    async close() {
      db.close()
    },
  }
}

/** Rows of one INSERT. */
const MYSQL_ROWS = 2000

async function openMysql(url: string): Promise<Bulk> {
  const db = await createConnection(url)
  return {
    async insert(table, columns, rows) {
      await db.beginTransaction()
      for (let from = 0; from < rows.length; from += MYSQL_ROWS)
        await db.query(`insert into ${table} (${columns.join(', ')}) values ?`, [rows.slice(from, from + MYSQL_ROWS)])
      await db.commit()
    },
    async run(sql) {
      await db.query(sql)
    },
    close: () => db.end(),
  }
}
