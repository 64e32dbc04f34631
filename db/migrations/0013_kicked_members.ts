import type { Knex } from 'knex'

/** Kicked members may join again only by an invitation. */
export async function up(db: Knex) {
  if (await db.schema.hasColumn('chatroom_user', 'isBanned')) return
  await db.schema.alterTable('chatroom_user', (table) => {
    table.boolean('isBanned').notNullable().defaultTo(false)
  })
}

export async function down(db: Knex) {
  if (!(await db.schema.hasColumn('chatroom_user', 'isBanned'))) return
  await db.schema.alterTable('chatroom_user', (table) => table.dropColumn('isBanned'))
}
