import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Outgoing webhooks: durable cursors with a URL, and their failed attempts. */
export async function up(db: Knex) {
  await createTable(db, 'hook', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.string('url', 2048).notNullable()
    // Encrypted: signing needs the secrets themselves.
    table.text('secrets').notNullable()
    // Kinds of events, separated by commas; empty for all.
    table.string('kinds', 64).notNullable()
    // Ids of users and groups, as JSON; empty for all conversations.
    table.text('conversations').notNullable()
    table.smallint('isReply').notNullable()
    // All events up to this id are handled, except the pending ones, whose ids are separated by commas.
    table.bigInteger('position').notNullable()
    table.text('pending').notNullable()
    // Time of the first failure since the last success; 0 for none.
    table.bigInteger('failing_since').notNullable().defaultTo(0)
    // Why it is disabled; empty while it is not.
    table.string('disabled', 255).notNullable().defaultTo('')
    table.bigInteger('created_at').notNullable()
    table.smallint('isActive').notNullable().defaultTo(1)
    table.index(['user_id', 'isActive'], 'hook_user')
  })
  await createTable(db, 'hook_attempt', (table) => {
    table.integer('hook_id').notNullable()
    table.bigInteger('message_id').notNullable()
    table.integer('attempts').notNullable()
    // Time of the next attempt; 0 for a dead letter.
    table.bigInteger('next_at').notNullable()
    table.bigInteger('failed_at').notNullable()
    table.string('reason', 255).notNullable()
    table.primary(['hook_id', 'message_id'])
  })
}

export async function down(db: Knex) {
  await db.schema.dropTable('hook_attempt')
  await db.schema.dropTable('hook')
}
