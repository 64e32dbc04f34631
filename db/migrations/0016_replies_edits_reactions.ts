import type { Knex } from 'knex'
import { createTable, isMysql } from './tables.ts'

/** Replies, edits and reactions, in tables of their own: a plain message costs no column and no statement more. */
export async function up(db: Knex) {
  const messageId = isMysql(db) ? 'bigint' : 'integer'
  // Only of messages that answer another one or were edited.
  await createTable(db, 'message_extra', (table) => {
    table.specificType('message_id', messageId).notNullable().primary()
    // The message that this one answers; 0: none.
    table.bigInteger('reply_to').notNullable().defaultTo(0)
    // Time of the last edit; 0: never edited.
    table.bigInteger('edited_at').notNullable().defaultTo(0)
  })
  // Texts that an edit has replaced, in the order of the edits.
  await createTable(db, 'message_former_text', (table) => {
    table.bigIncrements('id')
    table.bigInteger('message_id').notNullable()
    table.text('msg', 'mediumtext').notNullable()
    table.bigInteger('replaced_at').notNullable()
    table.index(['message_id'], 'message_former_text_message')
  })
  await createTable(db, 'message_reaction', (table) => {
    table.bigInteger('message_id').notNullable()
    table.integer('user_id').notNullable()
    table.string('emoji', 64).notNullable()
    // Time of the last change.
    table.bigInteger('changed_at').notNullable()
    // 0: the user has removed it.
    table.boolean('isActive').notNullable().defaultTo(true)
    table.primary(['message_id', 'user_id', 'emoji'])
  })
  if (!(await db.schema.hasColumn('scheduled', 'reply_to')))
    await db.schema.alterTable('scheduled', (table) => {
      table.bigInteger('reply_to').notNullable().defaultTo(0)
    })
}

export async function down(db: Knex) {
  if (await db.schema.hasColumn('scheduled', 'reply_to'))
    await db.schema.alterTable('scheduled', (table) => table.dropColumn('reply_to'))
  for (const table of ['message_reaction', 'message_former_text', 'message_extra']) await db.schema.dropTable(table)
}
