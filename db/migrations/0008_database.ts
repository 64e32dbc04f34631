import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** What the database says about itself: its generation (`epoch`), and how often a server was started on it. */
export async function up(db: Knex) {
  await createTable(db, 'chatctl_database', (table) => {
    table.string('name', 32).primary()
    table.string('value', 255).notNullable()
  })
  await db('chatctl_database').insert({ name: 'epoch', value: randomBytes(12).toString('hex') })
  await db('chatctl_database').insert({ name: 'starts', value: '0' })
}

export const down = (db: Knex) => db.schema.dropTable('chatctl_database')
