import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Properties of the database: its generation (`epoch`) and the number of server starts. */
export async function up(db: Knex) {
  await createTable(db, 'chatctl_database', (table) => {
    table.string('name', 32).primary()
    table.string('value', 255).notNullable()
  })
  const rows = { epoch: randomBytes(12).toString('hex'), starts: '0' }
  for (const [name, value] of Object.entries(rows))
    await db('chatctl_database').insert({ name, value }).onConflict('name').ignore()
}

export const down = (db: Knex) => db.schema.dropTable('chatctl_database')
