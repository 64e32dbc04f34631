import type { Knex } from 'knex'
import { createTable, setDefaultCollation } from './tables.ts'

/**
 * The five tables of the original chat room, with its names and meanings: `isActive` 0 is a deleted row, `isRead` 1 is
 * an unread one, `msg_type` is 1 chat, 2 system, 3 friend request, 4 group. Times are milliseconds UTC.
 */
export async function up(db: Knex) {
  await setDefaultCollation(db)
  await createTable(db, 'userinfo', (table) => {
    table.increments('id')
    table.string('username', 64).notNullable().unique({ indexName: 'userinfo_username' })
    table.string('password', 254).notNullable()
    table.string('nickname', 255).notNullable()
    table.bigInteger('reg_time').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
  })
  await createTable(db, 'chatmsg', (table) => {
    table.bigIncrements('id')
    table.integer('user_id').notNullable()
    table.bigInteger('send_time').notNullable()
    table.integer('target_id').notNullable()
    table.boolean('isRead').notNullable()
    table.specificType('msg_type', 'tinyint').notNullable()
    table.text('msg', 'mediumtext').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
  })
  await createTable(db, 'userfriend', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.integer('friend_id').notNullable()
    table.bigInteger('add_time').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
    table.unique(['user_id', 'friend_id'], { indexName: 'userfriend_pair' })
  })
  await createTable(db, 'chatroom', (table) => {
    table.increments('id')
    table.string('chatroom_name', 255).notNullable().unique({ indexName: 'chatroom_name' })
    table.bigInteger('create_time').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
  })
  await createTable(db, 'chatroom_user', (table) => {
    table.increments('id')
    table.integer('chatroom_id').notNullable()
    table.integer('user_id').notNullable()
    table.bigInteger('create_time').notNullable()
    table.boolean('isActive').notNullable().defaultTo(true)
    table.unique(['chatroom_id', 'user_id'], { indexName: 'chatroom_user_pair' })
  })
}

export async function down(db: Knex) {
  for (const table of ['chatroom_user', 'chatroom', 'userfriend', 'chatmsg', 'userinfo']) {
    await db.schema.dropTable(table)
  }
}
