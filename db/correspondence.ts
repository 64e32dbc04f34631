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
  /** Exactly these, as far as the user may read them: `after` and `limit` are without effect. */
  readonly only?: readonly number[]
}

/**
 * What users have written to each other: everything to one, everything by one, or both. It lies in as many runs of an
 * index as there are pairs of them, and is read from all of them in one order.
 */
interface Mailbox {
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
  const box = { reader_id: userId, ...(senderId !== undefined && { writer_id: senderId }) }
  const ids = await idsOf(db, box, { from: after, limit, newestFirst: false, unreadOnly, kinds: kindsOf(kind) })
  const rows = (await messagesByIds(db, ids)).sort((a, b) => a.id - b.id)
  return unreadOnly ? rows : withReadState(db, rows)
}

const kindsOf = (kind: number | undefined) => (kind === undefined ? PRIVATE : [kind])

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
  return idsOf(db, box, { from: before, limit, newestFirst: true, unreadOnly: false, kinds: PRIVATE })
}

/** Messages of one conversation that are looked at to count what is unread: what is counted beyond costs everybody. */
export const MAX_COUNTED = 10_000

/** How many private messages to a user are unread, by sender: of the next MAX_COUNTED after what was read. */
export async function unreadBySender(db: Knex, userId: number): Promise<Map<number, number>> {
  const runs = (await runsOf(db, { reader_id: userId })).filter(({ newest, read_id }) => (newest ?? 0) > read_id)
  const counts = await inEach(
    db,
    runs,
    ({ reader_id, writer_id, read_id }) => [
      `select ${Number(writer_id)} as writer_id, count(*) as unread from (
         select isRead, isActive, msg_type from chatmsg where target_id = ? and lane = ? and seq is null and id > ?
         order by id limit ${MAX_COUNTED}) as scanned
       where isRead = 1 and isActive = 1 and msg_type in (?, ?)`,
      [reader_id, writer_id, read_id, ...PRIVATE],
    ],
    ({ newest, read_id }) => Math.min((newest ?? 0) - read_id, MAX_COUNTED),
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

interface Run {
  readonly reader_id: number
  readonly writer_id: number
  readonly read_id: number
  readonly newest: number | null
}

const runsOf = (db: Knex, ends: Mailbox): Promise<Run[]> =>
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

/** Selects made into one statement at most: SQLite takes 500, and each has to be compiled. */
const SELECTS = 100

/**
 * The rows of a select for each of these, in a few statements. With numbers in it, not with columns of a join: MySQL
 * begins a range of an index only at a constant.
 * @param weightOf rows that the select for one of these reads at most: one statement reads about MAX_COUNTED, since
 *   SQLite holds the event loop for each
 */
export async function inEach<T>(
  db: Knex,
  things: readonly T[],
  select: (thing: T) => [sql: string, values: readonly (number | string)[]],
  weightOf: (thing: T) => number = () => 0,
): Promise<unknown[]> {
  const found: unknown[] = []
  for (const some of inStatements(things, weightOf)) {
    const selects = some.map(select)
    const sql = selects.map(([text], index) => `select * from (${text}) as r${index}`).join(' union all ')
    const result = await db.raw(
      sql,
      selects.flatMap(([, values]) => values),
    )
    for (const row of isMysql(db) ? result[0] : result) found.push(row)
  }
  return found
}

function inStatements<T>(things: readonly T[], weightOf: (thing: T) => number): T[][] {
  const statements: T[][] = []
  let weight = 0
  for (const thing of things) {
    weight += weightOf(thing)
    const last = statements.at(-1)
    if (last !== undefined && last.length < SELECTS && weight <= MAX_COUNTED) last.push(thing)
    else {
      statements.push([thing])
      weight = weightOf(thing)
    }
  }
  return statements
}

/** The next ids below or above `from` of all runs, in one order. */
async function idsOf(
  db: Knex,
  ends: Mailbox,
  {
    from,
    limit,
    newestFirst,
    unreadOnly,
    kinds,
  }: { from: number; limit: number; newestFirst: boolean; unreadOnly: boolean; kinds: readonly number[] },
): Promise<number[]> {
  const runs = await runsOf(db, ends)
  const begin = ({ read_id }: Run) => (unreadOnly ? Math.max(from, read_id) : from)
  const wanted = newestFirst ? runs : runs.filter((run) => (run.newest ?? 0) > begin(run))
  const filter = `isActive = 1 and msg_type in (${kinds.map(() => '?').join(', ')})${unreadOnly ? ' and isRead = 1' : ''}`
  const order = newestFirst ? 'id < ? order by id desc' : 'id > ? order by id'
  const rows = await inEach(db, wanted, (run) => [
    `select id from chatmsg where target_id = ? and lane = ? and seq is null and ${filter} and ${order} limit ?`,
    [run.reader_id, run.writer_id, ...kinds, begin(run), limit],
  ])
  const ids = (rows as { id: number }[]).map(({ id }) => id)
  return ids.sort((a, b) => (newestFirst ? b - a : a - b)).slice(0, limit)
}
