import type { Knex } from 'knex'
import { MAX_COUNTED, unreadByGroup, unreadBySender } from '../../../db/unread.ts'

/** Pairs of counts that are equal: first by reading the whole table, then as the server finds it by conversation. */
const PAIRS = `select
  (select count(*) from chatmsg not indexed where msg_type in (1, 2)) as private_log,
  (select count(*) from correspondence as c join chatmsg as m indexed by chatmsg_lane
   on m.target_id = c.reader_id and m.lane = c.writer_id and m.seq is null) as private_index,
  (select count(*) from chatmsg not indexed where msg_type = 4) as group_log,
  (select count(*) from chatroom as g join chatmsg as m indexed by chatmsg_lane
   on m.target_id = g.id and m.lane = -4 and m.seq between 1 and g.last_seq) as group_index,
  (select coalesce(sum(last_seq), 0) from chatroom) as group_last,
  max((select coalesce(max(id), 0) from chatmsg), (select coalesce(max(id), 0) from change_log)) as last,
  (select last from head) as head`

/** Unread messages of a user by sender and by group, from the read positions and the whole table. */
const UNREAD_BY_SENDER = `select m.user_id as id, min(count(*), ${MAX_COUNTED}) as unread
  from chatmsg as m not indexed join correspondence as c on c.reader_id = m.target_id and c.writer_id = m.user_id
  where m.msg_type in (1, 2) and m.target_id = ? and m.isRead = 1 and m.id > c.read_id group by m.user_id`
const UNREAD_BY_GROUP = `select m.target_id as id, min(count(*), ${MAX_COUNTED}) as unread
  from chatmsg as m not indexed join chatroom_user as u on u.chatroom_id = m.target_id
  where m.msg_type = 4 and u.user_id = ? and m.user_id <> u.user_id and m.seq > u.read_seq group by m.target_id`

/** Ids up to which a user has read, by name of the sender or group. */
const READ_UP_TO = `select w.username as name, c.read_id as id
  from correspondence as c join userinfo as w on w.id = c.writer_id where c.reader_id = ?
  union all select g.chatroom_name, m.id from chatroom_user as u join chatroom as g on g.id = u.chatroom_id
  join chatmsg as m on m.target_id = g.id and m.lane = -4 and m.seq = u.read_seq where u.user_id = ?`

/** What a SQLite database holds for a reader, after a crash. */
export async function inspect(db: Knex, reader: string) {
  const [{ id }] = await db('userinfo').where({ username: reader }).select('id')
  const [pairs] = await db.raw(PAIRS)
  const counts = async (sql: string) =>
    new Map<number, number>(
      (await db.raw(sql, [id])).map((row: { id: number; unread: number }) => [row.id, row.unread]),
    )
  const apart = [
    pairs.private_log !== pairs.private_index,
    pairs.group_log !== pairs.group_index || pairs.group_log !== pairs.group_last,
    pairs.last !== pairs.head,
    !isSame((await unreadBySender(db, id)).counts, await counts(UNREAD_BY_SENDER)),
    !isSame((await unreadByGroup(db, id)).counts, await counts(UNREAD_BY_GROUP)),
  ]
  const readUpTo: { name: string; id: number }[] = await db.raw(READ_UP_TO, [id, id])
  const [{ integrity_check: integrity }] = await db.raw('pragma integrity_check')
  return {
    isDamaged: integrity !== 'ok',
    /** Whether messages in the table are not those found by conversation, or counts or numbers differ from them. */
    isApart: apart.includes(true),
    stored: new Set<string>(await db('chatmsg').pluck('client_id')),
    readUpTo: new Map(readUpTo.map(({ name, id }) => [name, id])),
  }
}

const isSame = (one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>) =>
  one.size === other.size && [...one].every(([id, count]) => other.get(id) === count)
