import type { Knex } from 'knex'

/**
 * Finds memberships and invitations by their state: ended ones stay in the table, and were scanned with the others. Rows of
 * dissolved groups end, as they do at a dissolution now.
 */
export async function up(db: Knex) {
  await db('chatroom_user')
    .where((either) => void either.where({ isActive: 1 }).orWhere({ role: 'invited' }))
    .whereIn('chatroom_id', db('chatroom').where({ isActive: 0 }).select('id'))
    .update({ isActive: 0, role: 'member' })
  await db.schema.alterTable('chatroom_user', (table) => {
    table.index(['user_id', 'isActive', 'role'], 'chatroom_user_by_user')
    table.index(['chatroom_id', 'isActive', 'role'], 'chatroom_user_by_group')
    table.index(['invited_by', 'role'], 'chatroom_user_by_inviter')
    table.dropIndex(['user_id'], 'chatroom_user_user')
  })
}

export const down = (db: Knex) =>
  db.schema.alterTable('chatroom_user', (table) => {
    table.index(['user_id'], 'chatroom_user_user')
    table.dropIndex(['invited_by', 'role'], 'chatroom_user_by_inviter')
    table.dropIndex(['chatroom_id', 'isActive', 'role'], 'chatroom_user_by_group')
    table.dropIndex(['user_id', 'isActive', 'role'], 'chatroom_user_by_user')
  })
