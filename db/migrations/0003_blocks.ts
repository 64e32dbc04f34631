import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Blocks between users. Friend requests stay as in the original: `chatmsg` rows of msg_type 3. */
export async function up(db: Knex) {
  await createTable(db, 'userblock', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.integer('blocked_id').notNullable()
    table.bigInteger('add_time').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
    table.unique(['user_id', 'blocked_id'], { indexName: 'userblock_pair' })
  })
}

export const down = (db: Knex) => db.schema.dropTable('userblock')
