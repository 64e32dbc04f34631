import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** What users show of themselves beside their names. */
export const up = (db: Knex) =>
  createTable(db, 'profile', (table) => {
    table.integer('user_id').notNullable().primary()
    // A JSON object of the clients; empty for none.
    table.string('avatar', 512).notNullable()
    table.string('about', 255).notNullable()
    // Ascends with each change of a profile.
    table.bigInteger('changed_at').notNullable()
  })

export const down = (db: Knex) => db.schema.dropTable('profile')
