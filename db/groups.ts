import type { Knex } from 'knex'
import type { MessageRow } from './message-columns.ts'
import { GROUP_LANE, type HistoryPart, MSG_TYPE, messagesByIds, sortedById } from './messages.ts'
import { type Interval, narrowed, type PlaceQuery } from './places.ts'
import { idsIn, type Part, type Range, type Scanned } from './scan.ts'
import { asking, BY_LANE, listOf, selectForEach } from './selects.ts'

export interface GroupRow {
  readonly id: number
  readonly chatroom_name: string
  readonly last_seq: number
  readonly isOpen: number
  readonly allHistory: number
}

/** A user's row in a group. With role `invited` it is a pending invitation, not a membership. */
export interface MemberRow {
  readonly chatroom_id: number
  readonly user_id: number
  readonly role: 'owner' | 'admin' | 'member' | 'invited'
  readonly isActive: number
  /** Was kicked since last joining: may join an open group, too, only by an invitation. */
  readonly isBanned: number
  /** The group's sequence number when the member joined: messages up to it are hidden from the member. */
  readonly joined_seq: number
  /** The sequence number up to which the member has acknowledged. */
  readonly read_seq: number
}

/** Finds a group by name, compared byte for byte; not a dissolved one, whose name is free. */
export const findGroup = (db: Knex, name: string): Promise<GroupRow | undefined> =>
  db<GroupRow & { isActive: number }>('chatroom').where({ chatroom_name: name, isActive: 1 }).first()

export const findGroupById = (db: Knex, id: number): Promise<GroupRow | undefined> =>
  db<GroupRow & { isActive: number }>('chatroom').where({ id, isActive: 1 }).first()

/** The name of a group, or the former name of a dissolved one, which another group may have by now. */
export async function groupNameOf(db: Knex, id: number): Promise<string | undefined> {
  const row = await db<GroupRow & { former_name: string | null }>('chatroom').where({ id }).first()
  return row?.former_name ?? row?.chatroom_name
}

/** The active members of a group. */
export const membersOf = (db: Knex, groupId: number): Promise<MemberRow[]> =>
  db<MemberRow>('chatroom_user').where({ chatroom_id: groupId, isActive: 1 }).whereNot({ role: 'invited' })

/** Whether a user is, or was ever, a member of a group or invited to it. */
export async function hasMembership(db: Knex, groupId: number, userId: number): Promise<boolean> {
  return (await db('chatroom_user').where({ chatroom_id: groupId, user_id: userId }).first('id')) !== undefined
}

export interface Membership extends GroupRow {
  readonly role: Exclude<MemberRow['role'], 'invited'>
  readonly members: number
}

/** The groups of a user with their numbers of members, ordered by name. */
export const groupsOf = (db: Knex, userId: number): Promise<Membership[]> =>
  db('chatroom_user as u')
    .join('chatroom as g', 'g.id', 'u.chatroom_id')
    .where({ 'u.user_id': userId, 'u.isActive': 1, 'g.isActive': 1 })
    .whereNot({ 'u.role': 'invited' })
    .select('g.*', 'u.role')
    .select({
      members: db('chatroom_user as m').whereRaw('m.chatroom_id = g.id').where({ 'm.isActive': 1 }).count('*'),
    })
    .orderBy('g.chatroom_name')

/** A message with the name of its group and the reader's position there. */
export type GroupMessageRow = MessageRow & { readonly chatroom_name: string; readonly read_seq: number }

interface SeenGroup {
  readonly chatroom_id: number
  readonly chatroom_name: string
  readonly joined_seq: number
  readonly read_seq: number
  readonly last_seq: number
}

export interface GroupQuery {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  readonly unreadOnly: boolean
  /** Leave out the user's own messages. Default: as `unreadOnly`, since own messages are never unread. */
  readonly withoutOwn?: boolean
  /** Exactly these ids, as far as the user may read them; `after` and `limit` have no effect. */
  readonly only?: readonly number[]
}

/** The groups of a user. */
export const OF_MEMBER =
  'from chatroom_user as u join chatroom as g on g.id = u.chatroom_id where u.user_id = ? and u.isActive = 1 and g.isActive = 1'

const SELECT_SEEN = `select u.chatroom_id, g.chatroom_name, u.joined_seq, u.read_seq, g.last_seq ${OF_MEMBER}`

/** Messages in a user's groups that the user may read, oldest first. */
export async function groupMessagesTo(db: Knex, userId: number, query: GroupQuery): Promise<Part<GroupMessageRow>> {
  const groups = (await asking(db)(SELECT_SEEN, [userId])) as SeenGroup[]
  const byId = new Map(groups.map((group) => [group.chatroom_id, group]))
  const { ids, ...part } = query.only ? { ids: query.only } : await nextIds(db, userId, groups, query)
  const found = sortedById(await messagesByIds(db, ids)).flatMap((row) => {
    const group = row.msg_type === MSG_TYPE.group ? byId.get(row.target_id) : undefined
    if (group === undefined || Number(row.seq) <= group.joined_seq) return []
    const { chatroom_name, read_seq } = group
    return [{ ...row, chatroom_name, read_seq }]
  })
  return { ...part, found }
}

/** Ids above `after` of messages in a user's groups, ascending. */
async function nextIds(
  db: Knex,
  userId: number,
  groups: readonly SeenGroup[],
  { after, limit, unreadOnly, withoutOwn = unreadOnly }: GroupQuery,
): Promise<Scanned> {
  const queries = groups.flatMap(({ chatroom_id, joined_seq, read_seq, last_seq }): PlaceQuery[] => {
    const from = unreadOnly ? Math.max(joined_seq, read_seq) : joined_seq
    return last_seq > from ? [{ groupId: chatroom_id, id: after, from, to: last_seq + 1 }] : []
  })
  const places = after === 0 ? queries : await narrowed(asking(db), queries)
  const own = withoutOwn ? 'and m.user_id <> ?' : ''
  const ranges = queries.map(({ groupId, to }, index) => ({
    ...groupRange(groupId),
    above: places[index]?.from ?? 0,
    below: to,
    filter: `m.isActive = 1 and m.id > ? ${own}`,
    values: withoutOwn ? [after, userId] : [after],
  }))
  return idsIn(db, ranges, { limit, newestFirst: false, isBounded: true })
}

/** The last message that a user has read in each of the user's groups, by name; 0 for none. */
export async function groupPositions(db: Knex, userId: number): Promise<{ name: string; read_id: number }[]> {
  const seen = await groupsSeen(db, userId)
  const rows = await selectForEach(
    asking(db),
    seen.filter(({ read }) => read > 0),
    ({ id, read }) => [
      `select target_id as id, id as read_id from ${BY_LANE} where target_id = ? and lane = ? and seq = ?`,
      [id, GROUP_LANE, read],
    ],
  )
  const ids = new Map((rows as { id: number; read_id: number }[]).map(({ id, read_id }) => [id, read_id]))
  return seen.map(({ id, name }) => ({ name, read_id: ids.get(id) ?? 0 }))
}

/** All active messages of a group. */
export const groupRange = (groupId: number): Range => ({
  target: groupId,
  lane: GROUP_LANE,
  order: 'seq',
  above: 0,
  below: Number.MAX_SAFE_INTEGER,
  filter: 'm.isActive = 1',
  values: [],
})

/** Messages of a group with sequence numbers above `since`, oldest first. */
export const groupHistory = async (
  db: Knex,
  groupId: number,
  since: number,
  part: HistoryPart,
): Promise<MessageRow[]> => sortedById(await messagesByIds(db, await groupMessageIds(db, groupId, since, part)))

/** Their ids, newest first for the part before an id, oldest first for the part after one. */
export async function groupMessageIds(db: Knex, groupId: number, since: number, part: HistoryPart): Promise<number[]> {
  const newestFirst = 'before' in part
  const [id, sign] = newestFirst ? [part.before, '<'] : [part.after, '>']
  const { from, to } = await intervalOf(db, groupId, since, id)
  const range = {
    ...groupRange(groupId),
    ...(newestFirst ? { above: since, below: to } : { above: from }),
    filter: `m.isActive = 1 and m.id ${sign} ?`,
    values: [id],
  }
  return (await idsIn(db, [range], { limit: part.limit, newestFirst, isBounded: false })).ids
}

/** Sequence numbers between which the place of an id is, a bounded number. */
async function intervalOf(db: Knex, groupId: number, since: number, id: number): Promise<Interval> {
  const exact = await db<MessageRow>('chatmsg').where({ id }).first('target_id', 'lane', 'seq')
  if (exact?.lane === GROUP_LANE && exact.target_id === groupId) {
    const seq = Number(exact.seq)
    return { from: Math.max(since, seq), to: seq }
  }
  const group = await db<GroupRow>('chatroom').where({ id: groupId }).first('last_seq')
  const all = { groupId, id, from: since, to: Number(group?.last_seq ?? 0) + 1 }
  if (id === Number.MAX_SAFE_INTEGER) return all
  const [place] = await narrowed(asking(db), [all])
  return place ?? all
}

/** A group of a user: sequence numbers above `since` are visible to the user, those above `read` unread. */
export interface SeenBy {
  readonly id: number
  readonly name: string
  readonly since: number
  readonly read: number
}

/** The groups that a user is a member of. @param only these groups */
export async function groupsSeen(db: Knex, userId: number, only?: readonly number[]): Promise<SeenBy[]> {
  if (only === undefined) return (await asking(db)(SELECT_SEEN_BY, [userId])) as SeenBy[]
  const [list, ids] = listOf(db, only)
  return (await asking(db)(`${SELECT_SEEN_BY} and g.id in (${list})`, [userId, ...ids])) as SeenBy[]
}

const SELECT_SEEN_BY = `select g.id, g.chatroom_name as name, u.joined_seq as since, u.read_seq as \`read\`
  ${OF_MEMBER} and u.role <> 'invited'`
