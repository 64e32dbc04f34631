import type { Knex } from 'knex'
import { isMysql } from './tables.ts'

/** The size of a consumer's state in its row: counting the state takes time in proportion to it. */
export async function up(db: Knex) {
  await db.schema.alterTable('consumer', (table) => {
    table.integer('state_keys').notNullable().defaultTo(0)
    table.bigInteger('state_bytes').notNullable().defaultTo(0)
  })
  // SQLite's length() counts characters of text, but bytes of a blob.
  const bytes = isMysql(db) ? 'length(state)' : 'length(cast(state as blob))'
  const ofConsumer = 'from consumer_state as s where s.user_id = consumer.user_id and s.name = consumer.name'
  await db('consumer').update({
    state_keys: db.raw(`(select count(*) ${ofConsumer})`),
    state_bytes: db.raw(`(select coalesce(sum(${bytes}), 0) ${ofConsumer})`),
  })
}

export const down = (db: Knex) =>
  db.schema.alterTable('consumer', (table) => table.dropColumns('state_keys', 'state_bytes'))
