import type { Knex } from 'knex'

/** A sequence per group and a read position per member, so that a group message is one row for any number of readers. */
export async function up(db: Knex) {
  await db.schema.alterTable('chatroom', (table) => {
    table.bigInteger('last_seq').notNullable().defaultTo(0)
    table.boolean('isOpen').notNullable().defaultTo(true)
    table.boolean('allHistory').notNullable().defaultTo(false)
  })
  await db.schema.alterTable('chatroom_user', (table) => {
    // owner, admin, member; or invited: an inactive row that becomes a membership when the user joins.
    table.string('role', 16).notNullable().defaultTo('member')
    table.bigInteger('joined_seq').notNullable().defaultTo(0)
    table.bigInteger('read_seq').notNullable().defaultTo(0)
    table.index(['user_id'], 'chatroom_user_user')
  })
  await db.schema.alterTable('chatmsg', (table) => {
    table.bigInteger('seq')
    table.index(['target_id', 'seq'], 'chatmsg_group')
  })
}

export async function down(db: Knex) {
  await db.schema.alterTable('chatmsg', (table) => table.dropIndex(['target_id', 'seq'], 'chatmsg_group'))
  await db.schema.alterTable('chatmsg', (table) => table.dropColumn('seq'))
  await db.schema.alterTable('chatroom_user', (table) => table.dropIndex(['user_id'], 'chatroom_user_user'))
  await db.schema.alterTable('chatroom_user', (table) => table.dropColumns('role', 'joined_seq', 'read_seq'))
  await db.schema.alterTable('chatroom', (table) => table.dropColumns('last_seq', 'isOpen', 'allHistory'))
}
