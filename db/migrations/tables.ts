import type { Knex } from 'knex'

export const isMysql = (db: Knex) => /mysql/.test(String(db.client.driverName))

/** The collation that compares text byte for byte, trailing blanks included; its name differs in MySQL and MariaDB. */
async function binaryCollation(db: Knex): Promise<string> {
  const [[{ version }]] = await db.raw('select version() as version')
  return /mariadb/i.test(version) ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'
}

/** Creates a table whose text is utf8mb4 and compared byte for byte, whatever the server's defaults are. */
export async function createTable(db: Knex, name: string, build: (table: Knex.CreateTableBuilder) => void) {
  if (!isMysql(db)) return db.schema.createTable(name, build)
  const collation = await binaryCollation(db)
  return db.schema.createTable(name, (table) => {
    table.engine('InnoDB')
    table.charset('utf8mb4')
    table.collate(collation)
    build(table)
  })
}

/** Makes that collation the default for tables of plugins. SQLite compares byte for byte anyway. */
export async function setDefaultCollation(db: Knex) {
  if (isMysql(db)) await db.raw(`alter database character set utf8mb4 collate ${await binaryCollation(db)}`)
}
