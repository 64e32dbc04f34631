import type { Knex } from 'knex'
import type { MessageRow } from './message-columns.ts'
import { messagesByIds, PRIVATE, privateRange, sortedById, withReadState } from './messages.ts'
import { idsIn, type Part, type Scanned } from './scan.ts'
import { asking, listOf, type Select } from './selects.ts'

/** Selects private messages to a user. */
export interface InboxQuery {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  readonly unreadOnly: boolean
  /** Only from this sender. */
  readonly senderId?: number
  /** Also messages that the user has sent. */
  readonly withSent?: boolean
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
  { after, limit, unreadOnly, senderId, withSent = false, kind, only }: InboxQuery,
): Promise<Part<MessageRow>> {
  if (only !== undefined) {
    const kinds = kindsOf(kind)
    const isTheirs = (row: MessageRow) =>
      (row.target_id === userId || (withSent && row.user_id === userId)) && kinds.includes(row.msg_type)
    const rows = (await messagesByIds(db, only)).filter(isTheirs)
    return { found: await withReadState(db, sortedById(rows)) }
  }
  const received = { reader_id: userId, ...(senderId !== undefined && { writer_id: senderId }) }
  const ends = withSent ? [received, { writer_id: userId }] : [received]
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
  return (await idsOf(db, [ends], query)).ids
}

/** The private messages of one sender to one recipient: one range of the index. */
interface Pair {
  readonly reader_id: number
  readonly writer_id: number
  readonly read_id: number
  /** Id of the last message. */
  readonly newest: number | null
}

const ENDS = ['reader_id', 'writer_id'] as const

const pairsWhere = (ends: Ends): Select => {
  const given = ENDS.filter((end) => ends[end] !== undefined)
  return [given.map((end) => `c.${end} = ?`).join(' and '), given.map((end) => ends[end] as number)]
}

/** Selects from the messages of the pair `c`, by an index range. */
const OF_PAIR = 'chatmsg as m where m.target_id = c.reader_id and m.lane = c.writer_id and m.seq is null'

const SELECT_PAIRS = `select c.reader_id, c.writer_id, c.read_id,
  (select m.id from ${OF_PAIR} order by m.id desc limit 1) as newest from correspondence as c where`

/** Pairs that have a row in `correspondence`. @param writerIds only these senders */
export async function pairsOf(db: Knex, ends: Ends, writerIds?: readonly number[]): Promise<Pair[]> {
  const [where, values] = pairsWhere(ends)
  if (writerIds === undefined) return (await asking(db)(`${SELECT_PAIRS} ${where}`, values)) as Pair[]
  const [list, ids] = listOf(db, writerIds)
  return (await asking(db)(`${SELECT_PAIRS} ${where} and c.writer_id in (${list})`, [...values, ...ids])) as Pair[]
}

/** Read positions between a user and another one. */
export interface PairPositions {
  readonly other_id: number
  /** Id up to which the user has read, and the other one. */
  readonly own: number
  readonly theirs: number
}

/** Read positions between a user and others with ids above `after`, ascending. */
export async function positionsWith(db: Knex, userId: number, after: number, limit: number): Promise<PairPositions[]> {
  const of = (mine: string, other: string) =>
    db('correspondence').where(mine, userId).where(other, '>', after).orderBy(other).limit(limit).select({
      other_id: other,
      read_id: 'read_id',
    })
  const received: { other_id: number; read_id: number }[] = await of('reader_id', 'writer_id')
  const sent: { other_id: number; read_id: number }[] = await of('writer_id', 'reader_id')
  const [own, theirs] = [received, sent].map((rows) => new Map(rows.map((row) => [row.other_id, row.read_id])))
  const ids = [...new Set([...received, ...sent].map(({ other_id }) => other_id))].sort((a, b) => a - b)
  return ids.slice(0, limit).map((id) => ({ other_id: id, own: own?.get(id) ?? 0, theirs: theirs?.get(id) ?? 0 }))
}

/** Ids of private messages, see idsIn. */
async function idsOf(
  db: Knex,
  ends: readonly Ends[],
  {
    from,
    limit,
    newestFirst,
    unreadOnly,
    kinds,
  }: { from: number; limit: number; newestFirst: boolean; unreadOnly: boolean; kinds: readonly number[] },
): Promise<Scanned> {
  const pairs = (await Promise.all(ends.map((some) => pairsOf(db, some)))).flat()
  const filter = { kinds, unreadOnly }
  const ranges = pairs.flatMap(({ reader_id, writer_id, read_id, newest }) => {
    if (newest === null) return []
    const above = newestFirst ? 0 : unreadOnly ? Math.max(from, read_id) : from
    const below = newestFirst ? Math.min(from, newest + 1) : newest + 1
    return below - above > 1 ? [privateRange({ to: reader_id, from: writer_id, above, below }, filter)] : []
  })
  return idsIn(db, ranges, { limit, newestFirst, isBounded: !newestFirst })
}
