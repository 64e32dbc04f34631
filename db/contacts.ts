import type { Knex } from 'knex'
import { GROUP_LANE, groupsOf } from './groups.ts'
import type { StoredRow } from './message-columns.ts'
import { conversation, PRIVATE } from './messages.ts'

/** State of one conversation, as a contact list shows it. */
export interface ConversationState {
  readonly unread: number
  readonly last: StoredRow | undefined
}

/** A group of a user with the state of its conversation. */
export interface GroupState extends ConversationState {
  readonly id: number
  readonly name: string
}

/** The newest private message with each of these users. */
export async function lastMessages(
  db: Knex,
  userId: number,
  otherIds: readonly number[],
): Promise<Map<number, StoredRow>> {
  const newest = (query: Knex.QueryBuilder) =>
    query
      .where({ 'm.seq': null, 'm.isActive': 1 })
      .whereIn('m.msg_type', PRIVATE)
      .orderBy('m.id', 'desc')
      .limit(1)
      .select('m.id')
  const rows = await db('userinfo as u')
    .whereIn('u.id', otherIds)
    .select('u.id', {
      received: newest(db('chatmsg as m').where({ 'm.target_id': userId }).whereRaw('m.lane = u.id')),
      sent: newest(db('chatmsg as m').where({ 'm.lane': userId }).whereRaw('m.target_id = u.id')),
    })
  const ids = new Map<number, number>()
  for (const { id, received, sent } of rows) {
    const last = Math.max(received ?? 0, sent ?? 0)
    if (last > 0) ids.set(last, id)
  }
  const last = new Map<number, StoredRow>()
  for (const row of await messagesById(db, [...ids.keys()])) last.set(ids.get(row.id) as number, row)
  // The system (id 0) is no account, so the join above does not find it.
  for (const id of otherIds.filter((other) => other === 0)) {
    const [row] = await conversation(db, userId, id, { before: Number.MAX_SAFE_INTEGER, limit: 1 })
    if (row !== undefined) last.set(id, row)
  }
  return last
}

/** The groups of a user, optionally only some ids, with unread counts and the newest message the user may read. */
export async function groupStates(db: Knex, userId: number, only?: readonly number[]): Promise<GroupState[]> {
  const groups = (await groupsOf(db, userId)).filter(({ id }) => only === undefined || only.includes(id))
  const rows = await db('chatroom_user as u')
    .where({ 'u.user_id': userId, 'u.isActive': 1 })
    .whereIn(
      'u.chatroom_id',
      groups.map(({ id }) => id),
    )
    .select('u.chatroom_id', {
      last: db('chatmsg as m')
        .whereRaw('m.target_id = u.chatroom_id')
        .whereRaw('m.seq > u.joined_seq')
        .where({ 'm.lane': GROUP_LANE, 'm.isActive': 1 })
        .orderBy('m.seq', 'desc')
        .limit(1)
        .select('m.id'),
    })
  const found = await messagesById(
    db,
    rows.flatMap(({ last }) => (last === null ? [] : [last])),
  )
  const last = new Map(found.map((row) => [row.target_id, row]))
  return groups.map(({ id, chatroom_name, unread }) => ({ id, name: chatroom_name, unread, last: last.get(id) }))
}

const messagesById = (db: Knex, ids: readonly number[]): Promise<StoredRow[]> =>
  ids.length === 0 ? Promise.resolve([]) : db<StoredRow>('chatmsg').whereIn('id', ids).where({ isActive: 1 })
