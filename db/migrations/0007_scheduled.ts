import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Messages that are to be sent at a set time. */
export async function up(db: Knex) {
  await createTable(db, 'scheduled', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    // A user, or a group: whatever they are called by then.
    table.integer('target_id').notNullable()
    table.smallint('is_group').notNullable()
    // Empty once it is sent: what is recalled then is nowhere else.
    table.text('msg', 'mediumtext').notNullable()
    table.string('client_id', 64).notNullable()
    table.string('font', 64).notNullable()
    table.integer('font_size').notNullable()
    table.string('color', 32).notNullable()
    table.smallint('hops').notNullable()
    table.bigInteger('made_at').notNullable()
    table.bigInteger('due_at').notNullable()
    // When it is tried next: later than it is due, if the server could not send it then.
    table.bigInteger('next_at').notNullable()
    // waiting, sending, sent, failed or cancelled.
    table.string('state', 16).notNullable()
    table.string('reason', 512).notNullable().defaultTo('')
    // Of the message that it became.
    table.bigInteger('message_id').notNullable().defaultTo(0)
    table.bigInteger('done_at').notNullable().defaultTo(0)
    table.unique(['client_id', 'user_id'], { indexName: 'scheduled_client_id' })
    table.index(['state', 'next_at'], 'scheduled_next')
    table.index(['user_id', 'state'], 'scheduled_user')
  })
}

export const down = (db: Knex) => db.schema.dropTable('scheduled')
