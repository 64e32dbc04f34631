import type { Knex } from 'knex'
import { type MessageRow, messagesByIds, PRIVATE, withReadState } from './messages.ts'
import { isMysql } from './migrations/tables.ts'

/** Which of a user's private messages to read. */
export interface InboxQuery {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  readonly unreadOnly: boolean
  /** Only of this sender. */
  readonly senderId?: number
  /** Only this `msg_type`. */
  readonly kind?: number
}

/**
 * What users have written to each other: everything to one, everything by one, or both. It lies in as many runs of an
 * index as there are pairs of them, and is read from all of them in one order.
 */
interface Mailbox {
  readonly reader_id?: number
  readonly writer_id?: number
  /** Without what the reader has acknowledged. */
  readonly unreadOnly?: boolean
}

/** Private messages to a user, oldest first. */
export async function messagesTo(
  db: Knex,
  userId: number,
  { after, limit, unreadOnly, senderId, kind }: InboxQuery,
): Promise<MessageRow[]> {
  const box = { reader_id: userId, unreadOnly, ...(senderId !== undefined && { writer_id: senderId }) }
  const kinds = kind === undefined ? PRIVATE : [kind]
  const found: MessageRow[] = []
  for (let last = after; found.length < limit; ) {
    const ids = await idsOf(db, box, { from: last, limit, newestFirst: false })
    if (ids.length === 0) break
    last = ids.at(-1) as number
    const rows = (await messagesByIds(db, ids)).sort((a, b) => a.id - b.id)
    found.push(...rows.filter((row) => kinds.includes(row.msg_type) && (!unreadOnly || row.isRead === 1)))
  }
  const page = found.slice(0, limit)
  return unreadOnly ? page : withReadState(db, page)
}

/** Ids below `before` of private messages of a sender, to a recipient, or both; newest first. */
export function privateIds(
  db: Knex,
  ends: { readonly user_id?: number; readonly target_id?: number },
  { before, limit }: { before: number; limit: number },
): Promise<number[]> {
  const box = {
    ...(ends.user_id !== undefined && { writer_id: ends.user_id }),
    ...(ends.target_id !== undefined && { reader_id: ends.target_id }),
  }
  return idsOf(db, box, { from: before, limit, newestFirst: true })
}

/** How many private messages to a user are unread, by sender. Takes as long as what is unread. */
export async function unreadBySender(db: Knex, userId: number): Promise<Map<number, number>> {
  const rows: { writer_id: number; unread: number }[] = await db('correspondence as c')
    .join('chatmsg as m', sameLane)
    .where({ 'c.reader_id': userId, 'm.seq': null, 'm.isRead': 1, 'm.isActive': 1 })
    .whereIn('m.msg_type', PRIVATE)
    .whereRaw('m.id > c.read_id')
    .groupBy('c.writer_id')
    .select('c.writer_id', db.raw('count(*) as ??', ['unread']))
  return new Map(rows.map(({ writer_id, unread }) => [writer_id, unread]))
}

export async function countUnread(db: Knex, userId: number): Promise<number> {
  return [...(await unreadBySender(db, userId)).values()].reduce((sum, count) => sum + count, 0)
}

const sameLane: Knex.JoinCallback = (on) => on.on('m.target_id', 'c.reader_id').andOn('m.lane', 'c.writer_id')

interface Run {
  readonly reader_id: number
  readonly writer_id: number
  readonly read_id: number
  readonly newest: number | null
}

/** Runs asked for in one statement at most: SQLite takes 500 selects in one, and each has to be compiled. */
const RUNS = 100

/** The next ids below or above `from` of all runs, in one order. */
async function idsOf(
  db: Knex,
  { unreadOnly = false, ...ends }: Mailbox,
  { from, limit, newestFirst }: { from: number; limit: number; newestFirst: boolean },
): Promise<number[]> {
  const runs: Run[] = await db('correspondence as c')
    .where(ends)
    .select('reader_id', 'writer_id', 'read_id', {
      newest: db('chatmsg as m')
        .whereRaw('m.target_id = c.reader_id and m.lane = c.writer_id')
        .where({ 'm.seq': null })
        .orderBy('m.id', 'desc')
        .limit(1)
        .select('m.id'),
    })
  const begin = ({ read_id }: Run) => (unreadOnly ? Math.max(from, read_id) : from)
  const wanted = newestFirst ? runs : runs.filter((run) => (run.newest ?? 0) > begin(run))
  const order = newestFirst ? 'id < ? order by id desc' : 'id > ? order by id'
  const ids: number[] = []
  for (let at = 0; at < wanted.length; at += RUNS) {
    const some = wanted.slice(at, at + RUNS)
    // With numbers in it, not with columns of a join: MySQL begins a range of an index only at a constant.
    const selects = some.map(
      (_, index) =>
        `select id from (select id from chatmsg where target_id = ? and lane = ? and seq is null and ${order} limit ?) as r${index}`,
    )
    const values = some.flatMap((run) => [run.reader_id, run.writer_id, begin(run), limit])
    const result = await db.raw(selects.join(' union all '), values)
    const rows: { id: number }[] = isMysql(db) ? result[0] : result
    for (const { id } of rows) ids.push(id)
  }
  ids.sort((a, b) => (newestFirst ? b - a : a - b))
  return ids.slice(0, limit)
}
