import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Scheduled messages. */
export async function up(db: Knex) {
  await createTable(db, 'scheduled', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    // Id of a user or group, which may be renamed before the message is sent.
    table.integer('target_id').notNullable()
    table.smallint('is_group').notNullable()
    // Emptied once sent, so that a recall leaves no copy of the text.
    table.text('msg', 'mediumtext').notNullable()
    table.string('client_id', 64).notNullable()
    table.string('font', 64).notNullable()
    table.integer('font_size').notNullable()
    table.string('color', 32).notNullable()
    table.smallint('hops').notNullable()
    table.bigInteger('made_at').notNullable()
    table.bigInteger('due_at').notNullable()
    // Time of the next attempt: due_at, or later after a failed attempt.
    table.bigInteger('next_at').notNullable()
    // waiting, sending, sent, failed or cancelled.
    table.string('state', 16).notNullable()
    table.string('reason', 512).notNullable().defaultTo('')
    // Id of the message it was sent as; 0 until then.
    table.bigInteger('message_id').notNullable().defaultTo(0)
    table.bigInteger('done_at').notNullable().defaultTo(0)
    table.unique(['client_id', 'user_id'], { indexName: 'scheduled_client_id' })
    table.index(['state', 'next_at'], 'scheduled_next')
    table.index(['user_id', 'state'], 'scheduled_user')
  })
}

export const down = (db: Knex) => db.schema.dropTable('scheduled')
