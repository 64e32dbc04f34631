import type { Knex } from 'knex'

/** Roles of users; client ids that detect resent messages, indexes for unread ones, and text styles. */
export async function up(db: Knex) {
  await db.schema.alterTable('userinfo', (table) => {
    table.string('role', 16).notNullable().defaultTo('user')
  })
  await db.schema.alterTable('chatmsg', (table) => {
    // Idempotency key chosen by the sender: a message with the same one is a repeat.
    table.string('client_id', 64)
    table.string('font', 64).notNullable().defaultTo('')
    table.integer('font_size').notNullable().defaultTo(0)
    table.string('color', 32).notNullable().defaultTo('')
    table.unique(['user_id', 'client_id'], { indexName: 'chatmsg_client_id' })
    table.index(['target_id', 'isRead', 'id'], 'chatmsg_unread')
    table.index(['target_id', 'user_id', 'id'], 'chatmsg_conversation')
    table.index(['target_id', 'id'], 'chatmsg_inbox')
    table.index(['user_id', 'id'], 'chatmsg_sent')
  })
}

export async function down(db: Knex) {
  await db.schema.alterTable('chatmsg', (table) => {
    table.dropUnique(['user_id', 'client_id'], 'chatmsg_client_id')
    table.dropIndex(['target_id', 'isRead', 'id'], 'chatmsg_unread')
    table.dropIndex(['target_id', 'user_id', 'id'], 'chatmsg_conversation')
    table.dropIndex(['target_id', 'id'], 'chatmsg_inbox')
    table.dropIndex(['user_id', 'id'], 'chatmsg_sent')
  })
  await db.schema.alterTable('chatmsg', (table) => {
    table.dropColumns('client_id', 'font', 'font_size', 'color')
  })
  await db.schema.alterTable('userinfo', (table) => {
    table.dropColumn('role')
  })
}
