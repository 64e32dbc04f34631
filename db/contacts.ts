import type { Knex } from 'knex'
import { groupRange, groupsSeen } from './groups.ts'
import type { MessageRow } from './message-columns.ts'
import { GROUP_LANE, privateRange } from './messages.ts'
import { newestInEach, type Range } from './scan.ts'

/** Characters of the text of a newest message that are read: more than a preview shows. */
const TEXT_CHARACTERS = 500

/** Conversations in one statement: SQLite reads each text whole, and then cuts it. */
const PER_STATEMENT = 200

/** The newest message of a conversation, as a contact list shows it. */
export interface LastMessage extends Pick<MessageRow, 'id' | 'user_id' | 'send_time'> {
  /** The first TEXT_CHARACTERS code points of the text. */
  readonly beginning: string
}

/** A group of a user, as a contact list shows it. */
export interface GroupState {
  readonly id: number
  readonly name: string
  readonly last: LastMessage | undefined
}

/** The newest private message with each of these users, if one of the last few thousand is not deleted. */
export async function lastMessages(
  db: Knex,
  userId: number,
  otherIds: readonly number[],
): Promise<Map<number, LastMessage>> {
  const newest = (query: Knex.QueryBuilder) =>
    query.where({ 'm.seq': null }).orderBy('m.id', 'desc').limit(1).select('m.id')
  const rows = await inSlices(otherIds, (ids) =>
    db('userinfo as u')
      .whereIn('u.id', ids)
      .select('u.id', {
        received: newest(db('chatmsg as m').where({ 'm.target_id': userId }).whereRaw('m.lane = u.id')),
        sent: newest(db('chatmsg as m').where({ 'm.lane': userId }).whereRaw('m.target_id = u.id')),
      }),
  )
  const newestIds = new Map<number, number>()
  for (const { id, received, sent } of rows) newestIds.set(id, Math.max(received ?? 0, sent ?? 0))
  // The system (id 0) is no account, so the join above does not find it.
  if (otherIds.includes(0)) newestIds.set(0, Number.MAX_SAFE_INTEGER)
  return activeOnes(db, newestIds, (id, last) => [
    privateRange({ to: userId, from: id, below: last }),
    privateRange({ to: id, from: userId, below: last }),
  ])
}

/**
 * The newest messages by key; for a deleted one the newest before it.
 * @param rangesOf where to search below the deleted one
 */
async function activeOnes(
  db: Knex,
  newestIds: ReadonlyMap<number, number>,
  rangesOf: (key: number, last: number) => Range[],
): Promise<Map<number, LastMessage>> {
  const ids = new Map([...newestIds].filter(([, id]) => id > 0))
  const rows = new Map((await activeByIds(db, [...ids.values()])).map((row) => [row.id, row]))
  const ranges = [...ids].flatMap(([key, id]) =>
    rows.has(id) ? [] : rangesOf(key, id).map((range) => ({ key, range })),
  )
  const earlier = await newestInEach(
    db,
    ranges.map(({ range }) => range),
  )
  for (const { key } of ranges) ids.delete(key)
  for (const [index, { key }] of ranges.entries()) {
    const id = earlier[index]
    if (id !== undefined) ids.set(key, Math.max(id, ids.get(key) ?? 0))
  }
  const missing = [...ids.values()].filter((id) => !rows.has(id))
  for (const row of await activeByIds(db, missing)) rows.set(row.id, row)
  return new Map([...ids].flatMap(([key, id]) => (rows.has(id) ? [[key, rows.get(id) as LastMessage]] : [])))
}

/** Those of these messages that are not deleted, in any order. */
const activeByIds = (db: Knex, ids: readonly number[]): Promise<LastMessage[]> =>
  inSlices(ids, (slice) =>
    db('chatmsg')
      .whereIn('id', slice)
      .where({ isActive: 1 })
      .select('id', 'user_id', 'send_time', { beginning: db.raw(`substr(msg, 1, ${TEXT_CHARACTERS})`) }),
  )

async function inSlices<T>(ids: readonly number[], read: (slice: readonly number[]) => PromiseLike<T[]>): Promise<T[]> {
  const found: T[] = []
  for (let at = 0; at < ids.length; at += PER_STATEMENT) found.push(...(await read(ids.slice(at, at + PER_STATEMENT))))
  return found
}

/** The groups of a user, by name, with the newest message that the user may read. @param only these groups */
export async function groupStates(db: Knex, userId: number, only?: ReadonlySet<number>): Promise<GroupState[]> {
  const groups = await groupsSeen(db, userId, only && [...only])
  const rows: { id: number; last: number | null }[] = await db('chatroom_user as u')
    .where({ 'u.user_id': userId, 'u.isActive': 1 })
    .whereIn(
      'u.chatroom_id',
      groups.map(({ id }) => id),
    )
    .select({
      id: 'u.chatroom_id',
      last: db('chatmsg as m')
        .whereRaw('m.target_id = u.chatroom_id')
        .whereRaw('m.seq > u.joined_seq')
        .where({ 'm.lane': GROUP_LANE })
        .orderBy('m.seq', 'desc')
        .limit(1)
        .select('m.id'),
    })
  const joined = new Map(groups.map(({ id, since }) => [id, since]))
  const newestIds = new Map(rows.map(({ id, last }) => [id, last ?? 0]))
  const last = await activeOnes(db, newestIds, (id) => [{ ...groupRange(id), above: joined.get(id) ?? 0 }])
  return groups.map(({ id, name }) => ({ id, name, last: last.get(id) }))
}
