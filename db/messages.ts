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
  /** 0: written by a person; otherwise the so many-th message of bots in a row. */
  readonly hops: number
}

export interface MessageRow extends NewMessageRow {
  readonly id: number
  /** 1 while unread. */
  readonly isRead: number
  /** 0 for a deleted message. */
  readonly isActive: number
  /** Place in the group's sequence; null in a private message. */
  readonly seq: number | null
  /** See laneOf. */
  readonly lane: number
}

/** Kinds of private messages. */
export const PRIVATE: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.system]

/**
 * Messages with the same target and lane are read in one run: private ones of one sender to one recipient, those of a
 * group. Private ones are in the order of their ids, and have no `seq`.
 */
export const laneOf = ({ msg_type, user_id }: Pick<NewMessageRow, 'msg_type' | 'user_id'>) =>
  PRIVATE.includes(msg_type) ? user_id : -msg_type

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
      .where({ target_id: to, lane: from, seq: null, isActive: 1 })
      .whereIn('msg_type', PRIVATE)
      .where('id', '<', before)
      .orderBy('id', 'desc')
      .limit(limit)
  const rows = [...(await direction(userId, otherId)), ...(userId === otherId ? [] : await direction(otherId, userId))]
  return withReadState(db, rows.sort((a, b) => a.id - b.id).slice(-limit))
}

/**
 * Private messages as their readers have left them. A message's own `isRead` says that it was read, but may say it
 * later than the reader's position does.
 */
export async function withReadState(db: Knex, rows: readonly MessageRow[]): Promise<MessageRow[]> {
  const pairs = new Map(rows.map(({ target_id, user_id }) => [`${target_id} ${user_id}`, [target_id, user_id]]))
  if (pairs.size === 0) return []
  const positions = await db('correspondence').whereIn(['reader_id', 'writer_id'], [...pairs.values()])
  const read = new Map(positions.map(({ reader_id, writer_id, read_id }) => [`${reader_id} ${writer_id}`, read_id]))
  return rows.map((row) => (row.id <= (read.get(`${row.target_id} ${row.user_id}`) ?? 0) ? { ...row, isRead: 0 } : row))
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
