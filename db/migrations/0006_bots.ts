import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Tables for bots: hops of a message, durable consumers with their state, idempotency keys of requests. */
export async function up(db: Knex) {
  await db.schema.alterTable('chatmsg', (table) => {
    // Length of the chain of bot replies; 0 for a person.
    table.smallint('hops').notNullable().defaultTo(0)
  })
  await createTable(db, 'consumer', (table) => {
    table.integer('user_id').notNullable()
    table.string('name', 64).notNullable()
    // All messages up to this id are handled, except the pending ones, whose ids are separated by commas.
    table.bigInteger('position').notNullable()
    table.text('pending').notNullable()
    table.bigInteger('moved_at').notNullable()
    table.primary(['user_id', 'name'])
  })
  await createTable(db, 'consumer_state', (table) => {
    table.integer('user_id').notNullable()
    table.string('name', 64).notNullable()
    table.string('state_key', 255).notNullable()
    table.text('state').notNullable()
    table.primary(['user_id', 'name', 'state_key'])
  })
  await createTable(db, 'request_key', (table) => {
    table.integer('user_id').notNullable()
    table.string('request_key', 128).notNullable()
    // Detects a different request under the same key.
    table.string('request_hash', 64).notNullable()
    // Null while the request is in flight.
    table.binary('reply')
    table.bigInteger('asked_at').notNullable()
    table.primary(['user_id', 'request_key'])
    table.index(['asked_at'], 'request_key_asked')
  })
}

export async function down(db: Knex) {
  await db.schema.dropTable('request_key')
  await db.schema.dropTable('consumer_state')
  await db.schema.dropTable('consumer')
  await db.schema.alterTable('chatmsg', (table) => table.dropColumn('hops'))
}
