import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** What the database says about itself: its generation (`epoch`), and how often a server was started on it. */
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
