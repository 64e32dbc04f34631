import type { Knex } from 'knex'
import { isMysql } from './tables.ts'

/** Moves closed friend requests out of the index ranges of pending ones: see `closedRequest` in db/messages.ts. */
export async function up(db: Knex) {
  const clientId = isMysql(db) ? 'concat(char(31 using utf8mb4), id)' : 'char(31) || id'
  await db('chatmsg')
    .where({ client_id: null, msg_type: 3, isActive: 0 })
    .update({ seq: 0, client_id: db.raw(clientId) })
}

export const down = (db: Knex) =>
  db('chatmsg').where({ msg_type: 3, isActive: 0 }).update({ seq: null, client_id: null })
