import type { Knex } from 'knex'

/** Values of `chatmsg.msg_type`, the original's. */
export const MSG_TYPE = { chat: 1, system: 2, friendRequest: 3, group: 4 } as const

/** How a sender wants its text shown; empty and 0 leave it to the reader. */
export interface TextStyle {
  readonly font: string
  readonly font_size: number
  readonly color: string
}

export interface NewMessageRow extends TextStyle {
  readonly user_id: number
  readonly target_id: number
  readonly msg_type: number
  readonly msg: string
  readonly client_id: string
  readonly send_time: number
}

export interface MessageRow extends NewMessageRow {
  readonly id: number
  /** 1 while unread. */
  readonly isRead: number
  /** 0 for a deleted message. */
  readonly isActive: number
  /** Place in the group's sequence; null in a private message. */
  readonly seq: number | null
}

const PRIVATE = [MSG_TYPE.chat, MSG_TYPE.system]

/** Private messages to a user with an id above `after`, oldest first; of one sender or one `msg_type` if given. */
export function messagesTo(
  db: Knex,
  userId: number,
  {
    after,
    limit,
    unreadOnly,
    senderId,
    kind,
  }: { after: number; limit: number; unreadOnly: boolean; senderId?: number; kind?: number },
): Promise<MessageRow[]> {
  const query = db<MessageRow>('chatmsg')
    .where({ target_id: userId, isActive: 1 })
    .whereIn('msg_type', kind === undefined ? PRIVATE : [kind])
    .where('id', '>', after)
  if (unreadOnly) void query.where({ isRead: 1 })
  if (senderId !== undefined) void query.where({ user_id: senderId })
  return query.orderBy('id').limit(limit)
}

export async function countUnread(db: Knex, userId: number): Promise<number> {
  const [row] = await db('chatmsg')
    .where({ target_id: userId, isRead: 1, isActive: 1 })
    .whereIn('msg_type', PRIVATE)
    .count({ unread: '*' })
  return Number(row?.unread)
}

/** Private messages between two users, both ways, with an id below `before`: the newest `limit` of them, oldest first. */
export async function conversation(
  db: Knex,
  userId: number,
  otherId: number,
  { before, limit }: { before: number; limit: number },
): Promise<MessageRow[]> {
  // One range of the index for each direction; an OR would read the whole table.
  const direction = (from: number, to: number) =>
    db<MessageRow>('chatmsg')
      .where({ user_id: from, target_id: to, isActive: 1 })
      .whereIn('msg_type', PRIVATE)
      .where('id', '<', before)
      .orderBy('id', 'desc')
      .limit(limit)
  const rows = [...(await direction(userId, otherId)), ...(userId === otherId ? [] : await direction(otherId, userId))]
  return rows.sort((a, b) => a.id - b.id).slice(-limit)
}

/**
 * Ids below `before` of private messages of a sender, to a recipient, or both; newest first.
 * @param ends at least one of the two
 */
export async function privateIds(
  db: Knex,
  ends: { user_id?: number; target_id?: number },
  { before, limit }: { before: number; limit: number },
): Promise<number[]> {
  const rows = await db<MessageRow>('chatmsg')
    .where({ ...ends, isActive: 1 })
    .whereIn('msg_type', PRIVATE)
    .where('id', '<', before)
    .orderBy('id', 'desc')
    .limit(limit)
    .select('id')
  return rows.map(({ id }) => id)
}

/** The messages of those numbers, without deleted ones, in any order. */
export const messagesByIds = (db: Knex, ids: readonly number[]): Promise<MessageRow[]> =>
  db<MessageRow>('chatmsg').whereIn('id', ids).where({ isActive: 1 })

/** The message of that number, unless it is deleted. */
export const findMessage = (db: Knex, id: number): Promise<MessageRow | undefined> =>
  db<MessageRow>('chatmsg').where({ id, isActive: 1 }).first()

/** Deletes a message logically: its row stays, and keeps its client id taken. False when it was deleted already. */
export async function deleteMessage(db: Knex, id: number): Promise<boolean> {
  return (await db('chatmsg').where({ id, isActive: 1 }).update({ isActive: 0 })) > 0
}

/** Marks the messages from one user to another as read, up to and including an id. */
export const markRead = (db: Knex, readerId: number, senderId: number, upTo: number): Promise<number> =>
  db('chatmsg')
    .where({ target_id: readerId, isRead: 1 })
    // The sum keeps the database from walking all of the conversation: what is unread is little, what is read is not.
    .whereRaw('user_id + 0 = ?', [senderId])
    .whereIn('msg_type', PRIVATE)
    .where('id', '<=', upTo)
    .update({ isRead: 0 })
