import type { Knex } from 'knex'
import type { MessageRow } from './message-columns.ts'
import { messagesByIds, PRIVATE, withReadState } from './messages.ts'
import { isMysql } from './migrations/tables.ts'

/** Selects private messages to a user. */
export interface InboxQuery {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  readonly unreadOnly: boolean
  /** Only from this sender. */
  readonly senderId?: number
  /** Only this `msg_type`. */
  readonly kind?: number
  /** Exactly these ids, as far as the user may read them; `after` and `limit` have no effect. */
  readonly only?: readonly number[]
}

/** Selects private messages by recipient, by sender, or by both. */
interface Ends {
  readonly reader_id?: number
  readonly writer_id?: number
}

/** Private messages to a user, oldest first. */
export async function messagesTo(
  db: Knex,
  userId: number,
  { after, limit, unreadOnly, senderId, kind, only }: InboxQuery,
): Promise<MessageRow[]> {
  if (only !== undefined) {
    const kinds = kindsOf(kind)
    const isTheirs = (row: MessageRow) => row.target_id === userId && kinds.includes(row.msg_type)
    const found = (await messagesByIds(db, only)).filter(isTheirs)
    return withReadState(
      db,
      found.sort((a, b) => a.id - b.id),
    )
  }
  const ends = { reader_id: userId, ...(senderId !== undefined && { writer_id: senderId }) }
  const ids = await idsOf(db, ends, { from: after, limit, newestFirst: false, unreadOnly, kinds: kindsOf(kind) })
  const rows = (await messagesByIds(db, ids)).sort((a, b) => a.id - b.id)
  return unreadOnly ? rows : withReadState(db, rows)
}

const kindsOf = (kind: number | undefined) => (kind === undefined ? PRIVATE : [kind])

/** Ids below `before` of private messages of a sender, to a recipient, or both, newest first. */
export function privateIds(
  db: Knex,
  { user_id, target_id }: { readonly user_id?: number; readonly target_id?: number },
  { before, limit }: { before: number; limit: number },
): Promise<number[]> {
  const ends = {
    ...(user_id !== undefined && { writer_id: user_id }),
    ...(target_id !== undefined && { reader_id: target_id }),
  }
  return idsOf(db, ends, { from: before, limit, newestFirst: true, unreadOnly: false, kinds: PRIVATE })
}

/** Messages scanned per conversation to count unread ones. SQLite blocks the event loop while it scans. */
export const MAX_SCANNED = 10_000

/** Unread private messages to a user by sender, among the MAX_SCANNED messages after the read position. */
export async function unreadBySender(db: Knex, userId: number): Promise<Map<number, number>> {
  const ranges = await rangesOf(db, { reader_id: userId })
  const counts = await selectForEach(
    db,
    ranges.filter(({ newest, read_id }) => (newest ?? 0) > read_id),
    ({ reader_id, writer_id, read_id }) => [
      `select ${Number(writer_id)} as writer_id, count(*) as unread from (
         select isRead, isActive, msg_type from chatmsg where target_id = ? and lane = ? and seq is null and id > ?
         order by id limit ${MAX_SCANNED}) as scanned
       where isRead = 1 and isActive = 1 and msg_type in (?, ?)`,
      [reader_id, writer_id, read_id, ...PRIVATE],
    ],
    ({ newest, read_id }) => Math.min((newest ?? 0) - read_id, MAX_SCANNED),
  )
  return new Map(
    (counts as { writer_id: number; unread: number }[]).flatMap(({ writer_id, unread }) =>
      unread > 0 ? [[writer_id, Number(unread)] as const] : [],
    ),
  )
}

export async function countUnread(db: Knex, userId: number): Promise<number> {
  return [...(await unreadBySender(db, userId)).values()].reduce((sum, count) => sum + count, 0)
}

/** The private messages of one sender to one recipient: one range of the index. */
interface Range {
  readonly reader_id: number
  readonly writer_id: number
  readonly read_id: number
  readonly newest: number | null
}

const rangesOf = (db: Knex, ends: Ends): Promise<Range[]> =>
  db('correspondence as c')
    .where(ends)
    .select('reader_id', 'writer_id', 'read_id', {
      newest: db('chatmsg as m')
        .whereRaw('m.target_id = c.reader_id and m.lane = c.writer_id')
        .where({ 'm.seq': null })
        .orderBy('m.id', 'desc')
        .limit(1)
        .select('m.id'),
    })

/** Selects combined into one statement: SQLite allows 500, and compiling takes time for each. */
const SELECTS_PER_STATEMENT = 100

/**
 * Runs a select for each item, combined with UNION ALL into few statements. The selects hold constants instead of columns
 * of a join, because MySQL starts an index range only at a constant.
 * @param costOf upper bound of the rows that an item's select scans: a statement scans about MAX_SCANNED in all, since
 *   SQLite blocks the event loop
 */
export async function selectForEach<T>(
  db: Knex,
  items: readonly T[],
  select: (item: T) => [sql: string, values: readonly (number | string)[]],
  costOf: (item: T) => number = () => 0,
): Promise<unknown[]> {
  const found: unknown[] = []
  for (const chunk of chunksByCost(items, costOf)) {
    const selects = chunk.map(select)
    const sql = selects.map(([text], index) => `select * from (${text}) as r${index}`).join(' union all ')
    const result = await db.raw(
      sql,
      selects.flatMap(([, values]) => values),
    )
    for (const row of isMysql(db) ? result[0] : result) found.push(row)
  }
  return found
}

function chunksByCost<T>(items: readonly T[], costOf: (item: T) => number): T[][] {
  const chunks: T[][] = []
  let cost = 0
  for (const item of items) {
    cost += costOf(item)
    const last = chunks.at(-1)
    if (last !== undefined && last.length < SELECTS_PER_STATEMENT && cost <= MAX_SCANNED) last.push(item)
    else {
      chunks.push([item])
      cost = costOf(item)
    }
  }
  return chunks
}

/** The next ids above `from`, or below it with `newestFirst`, merged from all ranges. */
async function idsOf(
  db: Knex,
  ends: Ends,
  {
    from,
    limit,
    newestFirst,
    unreadOnly,
    kinds,
  }: { from: number; limit: number; newestFirst: boolean; unreadOnly: boolean; kinds: readonly number[] },
): Promise<number[]> {
  const ranges = await rangesOf(db, ends)
  const start = ({ read_id }: Range) => (unreadOnly ? Math.max(from, read_id) : from)
  const wanted = newestFirst ? ranges : ranges.filter((range) => (range.newest ?? 0) > start(range))
  const filter = `isActive = 1 and msg_type in (${kinds.map(() => '?').join(', ')})${unreadOnly ? ' and isRead = 1' : ''}`
  const order = newestFirst ? 'id < ? order by id desc' : 'id > ? order by id'
  const rows = await selectForEach(db, wanted, (range) => [
    `select id from chatmsg where target_id = ? and lane = ? and seq is null and ${filter} and ${order} limit ?`,
    [range.reader_id, range.writer_id, ...kinds, start(range), limit],
  ])
  const ids = (rows as { id: number }[]).map(({ id }) => id)
  return ids.sort((a, b) => (newestFirst ? b - a : a - b)).slice(0, limit)
}
