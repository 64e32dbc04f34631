import type { Knex } from 'knex'
import { pairsOf } from './correspondence.ts'
import { OF_MEMBER } from './groups.ts'
import { GROUP_LANE, PRIVATE } from './messages.ts'
import { asking, BY_LANE, listOf, type Select, selectForEach } from './selects.ts'

/** Messages after a read position that a count of unread ones scans: clients show "999+". */
export const MAX_COUNTED = 1000

/** The count reads the row of each entry, which takes about as long as five entries of the index. */
const ROW_COST = 5

/** Unread messages of a user by conversation. */
export interface Unread {
  /** By id of the sender or of the group; only those with unread messages. */
  readonly counts: ReadonlyMap<number, number>
  /** Messages that the count has scanned. */
  readonly scanned: number
}

interface Counted {
  readonly id: number
  readonly scanned: number
  readonly unread: number | null
}

/** @param after upper bound of the messages after the read position */
async function countEach<T>(
  db: Knex,
  conversations: readonly T[],
  select: (one: T) => Select,
  after: (one: T) => number,
): Promise<Unread> {
  const cost = (one: T) => ROW_COST * Math.min(after(one), MAX_COUNTED)
  const rows = (await selectForEach(asking(db), conversations, select, cost)) as Counted[]
  return {
    counts: new Map(rows.flatMap(({ id, unread }) => (Number(unread) > 0 ? [[id, Number(unread)] as const] : []))),
    scanned: rows.reduce((sum, { scanned }) => sum + Number(scanned), 0),
  }
}

/** The first value is the id of the conversation. */
const counting = (isUnread: string, entries: string) =>
  `select ? as id, count(*) as scanned, sum(case when ${isUnread} then 1 else 0 end) as unread
   from (${entries} limit ${MAX_COUNTED}) as scanned`

/** Unread private messages to a user by sender. @param only these senders */
export async function unreadBySender(db: Knex, userId: number, only?: ReadonlySet<number>): Promise<Unread> {
  const pairs = await pairsOf(db, { reader_id: userId }, only && [...only])
  return countEach(
    db,
    pairs.filter(({ newest, read_id }) => (newest ?? 0) > read_id),
    ({ reader_id, writer_id, read_id }) => [
      counting(
        'isRead = 1 and isActive = 1 and msg_type in (?, ?)',
        `select isRead, isActive, msg_type from ${BY_LANE}
         where target_id = ? and lane = ? and seq is null and id > ? order by id`,
      ),
      [writer_id, ...PRIVATE, reader_id, writer_id, read_id],
    ],
    ({ newest, read_id }) => (newest ?? 0) - read_id,
  )
}

/** Unread messages of others by group of a user. @param only these groups */
export async function unreadByGroup(db: Knex, userId: number, only?: ReadonlySet<number>): Promise<Unread> {
  const [list, ids] = only === undefined ? ['', []] : listOf(db, [...only])
  const groups = (await asking(db)(
    `select u.chatroom_id, u.read_seq, g.last_seq ${OF_MEMBER} and g.last_seq > u.read_seq
     ${only === undefined ? '' : `and g.id in (${list})`}`,
    [userId, ...ids],
  )) as { chatroom_id: number; read_seq: number; last_seq: number }[]
  return countEach(
    db,
    groups,
    ({ chatroom_id, read_seq }) => [
      counting(
        'isActive = 1 and user_id <> ?',
        `select user_id, isActive from ${BY_LANE} where target_id = ? and lane = ? and seq > ? order by seq`,
      ),
      [chatroom_id, userId, chatroom_id, GROUP_LANE, read_seq],
    ],
    ({ read_seq, last_seq }) => last_seq - read_seq,
  )
}
