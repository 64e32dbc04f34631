import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/**
 * One sequence of numbers for messages and all other changes: `head` holds the last one, `change_log` the changes.
 */
export async function up(db: Knex) {
  await createTable(db, 'head', (table) => {
    table.integer('id').primary()
    table.bigInteger('last').notNullable()
  })
  await createTable(db, 'change_log', (table) => {
    // Not autoincrement: a number of `head`.
    table.bigInteger('id').primary()
    table.string('topic', 32).notNullable()
    table.bigInteger('subject').notNullable()
    // The conversation of a changed message, for clients that catch up.
    table.integer('target_id')
    table.integer('lane')
    table.index(['target_id', 'id'], 'change_log_target')
    table.index(['lane', 'id'], 'change_log_lane')
  })
  const [row] = await db('chatmsg').max({ last: 'id' })
  await db('head')
    .insert({ id: 1, last: Number(row?.last ?? 0) })
    .onConflict('id')
    .ignore()
}

export async function down(db: Knex) {
  await db.schema.dropTable('change_log')
  await db.schema.dropTable('head')
}
