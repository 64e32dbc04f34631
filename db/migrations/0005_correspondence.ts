import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/**
 * A read position per pair of reader and writer, so that reading a thousand messages updates one row; and a single index
 * for private and group messages, because each further index costs a message more than the flush of its commit.
 */
export async function up(db: Knex) {
  await createTable(db, 'correspondence', (table) => {
    table.integer('reader_id').notNullable()
    table.integer('writer_id').notNullable()
    // Messages up to this id are read; later ones only if their isRead is 0.
    table.bigInteger('read_id').notNullable().defaultTo(0)
    // isRead of the messages is backfilled up to this id.
    table.bigInteger('marked_id').notNullable().defaultTo(0)
    table.primary(['reader_id', 'writer_id'])
    table.index(['writer_id'], 'correspondence_writer')
  })
  // Rows of an interrupted run.
  await db('correspondence').del()
  await fillCorrespondence(db)
  await db.schema.alterTable('chatmsg', (table) => {
    // The sender's id for private messages; -msg_type for friend requests and group messages. One target and lane is
    // one index range.
    table.integer('lane').notNullable().defaultTo(0)
  })
  await db.raw('update chatmsg set lane = case when msg_type in (3, 4) then -msg_type else user_id end')
  await db.schema.alterTable('chatmsg', (table) => {
    table.index(['target_id', 'lane', 'seq'], 'chatmsg_lane')
    // The client id comes first: it begins with the time, so new entries share a few index pages.
    table.dropUnique(['user_id', 'client_id'], 'chatmsg_client_id')
    table.unique(['client_id', 'user_id'], { indexName: 'chatmsg_client_id' })
    table.dropIndex(['target_id', 'isRead', 'id'], 'chatmsg_unread')
    table.dropIndex(['target_id', 'user_id', 'id'], 'chatmsg_conversation')
    table.dropIndex(['target_id', 'id'], 'chatmsg_inbox')
    table.dropIndex(['user_id', 'id'], 'chatmsg_sent')
    table.dropIndex(['target_id', 'seq'], 'chatmsg_group')
  })
}

/** Inserts a row for every pair that has messages: inboxes are read through these rows, unread messages or not. */
export async function fillCorrespondence(db: Knex) {
  await db.raw(
    `insert into correspondence (reader_id, writer_id, read_id, marked_id)
     select target_id, user_id, position, position from (
       select target_id, user_id, coalesce(min(case when isRead = 1 then id end) - 1, max(id)) as position
       from chatmsg where msg_type in (1, 2) group by target_id, user_id) as c`,
  )
}

export async function down(db: Knex) {
  // Missing if an earlier run was interrupted at its end.
  if (await db.schema.hasTable('correspondence'))
    await db.raw(
      `update chatmsg set isRead = 0 where isRead = 1 and msg_type in (1, 2) and id <= (
         select read_id from correspondence where reader_id = target_id and writer_id = user_id)`,
    )
  await db.schema.alterTable('chatmsg', (table) => {
    table.index(['target_id', 'isRead', 'id'], 'chatmsg_unread')
    table.index(['target_id', 'user_id', 'id'], 'chatmsg_conversation')
    table.index(['target_id', 'id'], 'chatmsg_inbox')
    table.index(['user_id', 'id'], 'chatmsg_sent')
    table.index(['target_id', 'seq'], 'chatmsg_group')
    table.dropIndex(['target_id', 'lane', 'seq'], 'chatmsg_lane')
    table.dropUnique(['client_id', 'user_id'], 'chatmsg_client_id')
    table.unique(['user_id', 'client_id'], { indexName: 'chatmsg_client_id' })
  })
  await db.schema.alterTable('chatmsg', (table) => table.dropColumn('lane'))
  await db.schema.dropTable('correspondence')
}
