import type { Knex } from 'knex'
import type { Envelope, MessageRow, Placement } from './message-columns.ts'
import { messageRow, SELECT_WITH_EXTRAS } from './message-rows.ts'
import { isMysql } from './migrations/tables.ts'
import { idsIn, type Range } from './scan.ts'
import { asking, listOf } from './selects.ts'
import { sqliteRows } from './sqlite-statements.ts'

/** Values of `chatmsg.msg_type`, as in the original. */
export const MSG_TYPE = { chat: 1, system: 2, friendRequest: 3, group: 4 } as const

/** Kinds of private messages. */
export const PRIVATE: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.system]

/**
 * Messages with the same target and lane form one range of an index: private messages of one sender to one recipient, or
 * the messages of a group. Private messages are ordered by id and have no `seq`.
 */
export const laneOf = ({ msg_type, user_id }: Pick<Envelope, 'msg_type' | 'user_id'>) =>
  PRIVATE.includes(msg_type) ? user_id : -msg_type

/** `chatmsg.lane` of group messages, see laneOf. */
export const GROUP_LANE = -MSG_TYPE.group

/** @param seq place in the group's sequence; null in a private message */
export const placementOf = (row: Envelope, seq: number | null): Placement => ({
  // Group messages are read as far as the members' positions reach.
  isRead: row.msg_type === MSG_TYPE.group ? 0 : 1,
  isActive: 1,
  seq,
  lane: laneOf(row),
})

/**
 * Columns of a friend request that is not pending any more. A pending one has neither a place nor a client id, so the
 * index ranges of null hold only those: of the recipient in `chatmsg_lane`, of the sender in `chatmsg_client_id`. The
 * client id contains a character that none of a sender may have.
 */
export const closedRequest = (id: number) => ({ isActive: 0, isRead: 0, seq: 0, client_id: `\u001f${id}` })

/** A part of a conversation: the newest messages below an id, or the oldest above one. */
export type HistoryPart =
  | { readonly before: number; readonly limit: number }
  | { readonly after: number; readonly limit: number }

/** When a message was sent; undefined if there is none. */
export async function sendTimeOf(db: Knex, id: number): Promise<number | undefined> {
  const row = await db('chatmsg').where({ id }).first('send_time')
  return row?.send_time
}

/** Private messages between two users, oldest first. */
export async function conversation(
  db: Knex,
  userId: number,
  otherId: number,
  part: HistoryPart,
): Promise<MessageRow[]> {
  const newestFirst = 'before' in part
  const ids = newestFirst ? { below: part.before } : { above: part.after, below: Number.MAX_SAFE_INTEGER }
  // One index range for each direction; an OR would read the whole table.
  const directions = [privateRange({ to: otherId, from: userId, ...ids })]
  if (userId !== otherId) directions.push(privateRange({ to: userId, from: otherId, ...ids }))
  const found = await idsIn(db, directions, { limit: part.limit, newestFirst, isBounded: false })
  return withReadState(db, sortedById(await messagesByIds(db, found.ids)))
}

/** The private messages of one sender to one recipient, between two ids. */
export const privateRange = (
  ends: { readonly to: number; readonly from: number; readonly above?: number; readonly below: number },
  { kinds, unreadOnly }: { readonly kinds: readonly number[]; readonly unreadOnly: boolean } = {
    kinds: PRIVATE,
    unreadOnly: false,
  },
): Range => ({
  target: ends.to,
  lane: ends.from,
  order: 'id',
  above: ends.above ?? 0,
  below: ends.below,
  filter: `m.isActive = 1 and m.msg_type in (${kinds.map(() => '?').join(', ')})${unreadOnly ? ' and m.isRead = 1' : ''}`,
  values: kinds,
})

export const sortedById = (rows: readonly MessageRow[]): MessageRow[] => [...rows].sort((a, b) => a.id - b.id)

/**
 * Private messages with their read state. It comes from the read positions, because the `isRead` of a row is backfilled
 * later.
 */
export async function withReadState(db: Knex, rows: readonly MessageRow[]): Promise<MessageRow[]> {
  const pairs = new Map(rows.map(({ target_id, user_id }) => [`${target_id} ${user_id}`, [target_id, user_id]]))
  if (pairs.size === 0) return []
  const positions = await positionsOf(db, [...pairs.values()])
  const read = new Map(positions.map(({ reader_id, writer_id, read_id }) => [`${reader_id} ${writer_id}`, read_id]))
  return rows.map((row) => (row.id <= (read.get(`${row.target_id} ${row.user_id}`) ?? 0) ? { ...row, isRead: 0 } : row))
}

type Position = { readonly reader_id: number; readonly writer_id: number; readonly read_id: number }

const positionsOf = (db: Knex, pairs: number[][]): Promise<Position[]> =>
  isMysql(db)
    ? db('correspondence').whereIn(['reader_id', 'writer_id'], pairs)
    : sqliteRows<Position>(db, [
        [
          `select c.reader_id, c.writer_id, c.read_id from json_each(?) cross join correspondence as c
           where c.reader_id = json_each.value ->> 0 and c.writer_id = json_each.value ->> 1`,
          [JSON.stringify(pairs)],
        ],
      ])

/** The messages with these ids, without deleted ones, in any order. */
export async function messagesByIds(db: Knex, ids: readonly number[]): Promise<MessageRow[]> {
  if (ids.length === 0) return []
  const [list, values] = listOf(db, ids)
  const select = `${SELECT_WITH_EXTRAS} where m.isActive = 1 and m.id in (${list})`
  if (!isMysql(db)) return sqliteRows(db, [[select, values]], messageRow)
  return (await asking(db)(select, values)) as MessageRow[]
}

/** The messages with numbers above `after`, up to another one, in their order, deleted ones too; at most `limit`. */
export const messagesInLog = async (db: Knex, after: number, upTo: number, limit: number): Promise<MessageRow[]> =>
  (await asking(db)(`${SELECT_WITH_EXTRAS} where m.id > ? and m.id <= ? order by m.id limit ?`, [
    after,
    upTo,
    limit,
  ])) as MessageRow[]

/** The message with this id, unless it is deleted. */
export const findMessage = async (db: Knex, id: number): Promise<MessageRow | undefined> =>
  (await messagesByIds(db, [id]))[0]

/** Whether a user has stored a message, deleted or not, under a client id. */
export const hasClientId = async (db: Knex, userId: number, clientId: string): Promise<boolean> =>
  (await db('chatmsg').where({ client_id: clientId, user_id: userId }).first('id')) !== undefined
