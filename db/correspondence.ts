import type { Knex } from 'knex'
import type { MessageRow } from './message-columns.ts'
import { messagesByIds, PRIVATE, privateRange, sortedById, withReadState } from './messages.ts'
import { idsIn, type Part, type Scanned } from './scan.ts'
import { asking, BY_LANE, MAX_SCANNED, selectForEach } from './selects.ts'

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
  /** With `only`: messages that the user has sent, in place of those to the user. */
  readonly sent?: boolean
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
  { after, limit, unreadOnly, senderId, kind, only, sent = false }: InboxQuery,
): Promise<Part<MessageRow>> {
  if (only !== undefined) {
    const kinds = kindsOf(kind)
    const isTheirs = (row: MessageRow) =>
      (sent ? row.user_id : row.target_id) === userId && kinds.includes(row.msg_type)
    const rows = (await messagesByIds(db, only)).filter(isTheirs)
    return { found: await withReadState(db, sortedById(rows)) }
  }
  const ends = { reader_id: userId, ...(senderId !== undefined && { writer_id: senderId }) }
  const query = { from: after, limit, newestFirst: false, unreadOnly, kinds: kindsOf(kind) }
  const { ids, ...part } = await idsOf(db, ends, query)
  const rows = sortedById(await messagesByIds(db, ids))
  return { ...part, found: unreadOnly ? rows : await withReadState(db, rows) }
}

const kindsOf = (kind: number | undefined) => (kind === undefined ? PRIVATE : [kind])

/** Ids below `before` of private messages of a sender, to a recipient, or both, newest first. */
export async function privateIds(
  db: Knex,
  { user_id, target_id }: { readonly user_id?: number; readonly target_id?: number },
  { before, limit }: { before: number; limit: number },
): Promise<number[]> {
  const ends = {
    ...(user_id !== undefined && { writer_id: user_id }),
    ...(target_id !== undefined && { reader_id: target_id }),
  }
  const query = { from: before, limit, newestFirst: true, unreadOnly: false, kinds: PRIVATE }
  return (await idsOf(db, ends, query)).ids
}

/** Unread private messages to a user by sender, among the MAX_SCANNED messages after the read position. */
export async function unreadBySender(db: Knex, userId: number): Promise<Map<number, number>> {
  const ranges = await rangesOf(db, { reader_id: userId })
  const counts = await selectForEach(
    asking(db),
    ranges.filter(({ newest, read_id }) => (newest ?? 0) > read_id),
    ({ reader_id, writer_id, read_id }) => [
      `select ${Number(writer_id)} as writer_id, count(*) as unread from (
         select isRead, isActive, msg_type from ${BY_LANE} where target_id = ? and lane = ? and seq is null and id > ?
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

/** Ids of private messages, see idsIn. */
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
): Promise<Scanned> {
  const ranges = (await rangesOf(db, ends)).flatMap(({ reader_id, writer_id, read_id, newest }) => {
    if (newest === null) return []
    const above = newestFirst ? 0 : unreadOnly ? Math.max(from, read_id) : from
    const below = newestFirst ? Math.min(from, newest + 1) : newest + 1
    return below - above > 1
      ? [privateRange({ to: reader_id, from: writer_id, above, below }, { kinds, unreadOnly })]
      : []
  })
  return idsIn(db, ranges, { limit, newestFirst, isBounded: !newestFirst })
}
