import type { Knex } from 'knex'
import { inEach } from './correspondence.ts'
import { type MessageRow, MSG_TYPE, messagesByIds } from './messages.ts'
import { isDuplicate, transact } from './transaction.ts'

export interface GroupRow {
  readonly id: number
  readonly chatroom_name: string
  readonly last_seq: number
  readonly isOpen: number
  readonly allHistory: number
}

/** A membership; `invited` may become a member, and is none yet. */
export interface MemberRow {
  readonly chatroom_id: number
  readonly user_id: number
  readonly role: 'owner' | 'admin' | 'member' | 'invited'
  readonly isActive: number
  /** The group's sequence when the member came: messages up to it are not seen. */
  readonly joined_seq: number
  /** The sequence up to which the member has acknowledged. */
  readonly read_seq: number
}

/** See laneOf. */
export const GROUP_LANE = -MSG_TYPE.group

/** Names are compared byte for byte. Dissolved groups are not found, though their names stay taken. */
export const findGroup = (db: Knex, name: string): Promise<GroupRow | undefined> =>
  db<GroupRow & { isActive: number }>('chatroom').where({ chatroom_name: name, isActive: 1 }).first()

/** The name of a group, also of a dissolved one. */
export async function groupNameOf(db: Knex, id: number): Promise<string | undefined> {
  return (await db<GroupRow>('chatroom').where({ id }).first())?.chatroom_name
}

/** All rows of a group, also of those who left or are invited. */
export const membersOf = (db: Knex, groupId: number): Promise<MemberRow[]> =>
  db<MemberRow>('chatroom_user').where({ chatroom_id: groupId })

export interface Membership extends GroupRow {
  readonly role: MemberRow['role']
  readonly members: number
  readonly unread: number
}

/** The groups of a user, with how many members they have and how much is unread. */
export async function groupsOf(db: Knex, userId: number): Promise<Membership[]> {
  const rows = await db('chatroom_user as u')
    .join('chatroom as g', 'g.id', 'u.chatroom_id')
    .where({ 'u.user_id': userId, 'u.isActive': 1, 'g.isActive': 1 })
    .select('g.*', 'u.role')
    .select({
      members: db('chatroom_user as m').whereRaw('m.chatroom_id = g.id').where({ 'm.isActive': 1 }).count('*'),
      unread: unread(db, userId).whereRaw('x.target_id = g.id').count('*'),
    })
    .orderBy('g.chatroom_name')
  return rows as unknown as Membership[]
}

export async function countGroupUnread(db: Knex, userId: number): Promise<number> {
  const [row] = await unread(db, userId).count({ unread: '*' })
  return Number(row?.unread)
}

/** What a user has not acknowledged in the groups it is in, without its own messages. */
const unread = (db: Knex, userId: number) =>
  db('chatmsg as x')
    .join('chatroom_user as xu', 'xu.chatroom_id', 'x.target_id')
    .join('chatroom as xg', 'xg.id', 'xu.chatroom_id')
    .where({ 'xu.user_id': userId, 'xu.isActive': 1, 'xg.isActive': 1, 'x.lane': GROUP_LANE, 'x.isActive': 1 })
    .whereNot({ 'x.user_id': userId })
    .whereRaw('x.seq > xu.read_seq')

/** Begins where the sequence stands at an id, so that what lies before it is not read. */
const AFTER_ID = `and seq > coalesce((select x.seq from chatmsg as x where x.target_id = ? and x.lane = ? and x.id <= ?
  order by x.seq desc limit 1), 0)`

export type GroupMessageRow = MessageRow & { readonly chatroom_name: string }

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
  /** Leave out what the user wrote; what is unread never is. */
  readonly withoutOwn?: boolean
}

/** Group messages for a user with an id above `after`, oldest first, since the user came to each group. */
export async function groupMessagesTo(
  db: Knex,
  userId: number,
  { after, limit, unreadOnly, withoutOwn = unreadOnly }: GroupQuery,
): Promise<GroupMessageRow[]> {
  const groups: SeenGroup[] = await db('chatroom_user as u')
    .join('chatroom as g', 'g.id', 'u.chatroom_id')
    .where({ 'u.user_id': userId, 'u.isActive': 1, 'g.isActive': 1 })
    .select('u.chatroom_id', 'g.chatroom_name', 'u.joined_seq', 'u.read_seq', 'g.last_seq')
  const since = ({ joined_seq, read_seq }: SeenGroup) => (unreadOnly ? Math.max(joined_seq, read_seq) : joined_seq)
  const rows = await inEach(
    db,
    groups.filter((group) => group.last_seq > since(group)),
    (group) => [
      `select id from chatmsg where target_id = ? and lane = ? and seq > ? and id > ? and isActive = 1
         ${unreadOnly ? '' : AFTER_ID} ${withoutOwn ? 'and user_id <> ?' : ''} order by seq limit ?`,
      [
        group.chatroom_id,
        GROUP_LANE,
        since(group),
        after,
        ...(unreadOnly ? [] : [group.chatroom_id, GROUP_LANE, after]),
        ...(withoutOwn ? [userId] : []),
        limit,
      ],
    ],
  )
  const ids = (rows as { id: number }[]).map(({ id }) => id).sort((a, b) => a - b)
  const byId = new Map(groups.map((group) => [group.chatroom_id, group]))
  const found = (await messagesByIds(db, ids.slice(0, limit))).sort((a, b) => a.id - b.id)
  return found.flatMap((row) => {
    const group = byId.get(row.target_id)
    if (group === undefined) return []
    const isRead = Number(row.seq) > group.read_seq && row.user_id !== userId ? 1 : 0
    return [{ ...row, isRead, chatroom_name: group.chatroom_name }]
  })
}

/** Where a group's sequence stands at a message of it, so that reading on from there is a step down the index. */
async function sequenceAt(db: Knex, groupId: number, id: number): Promise<number> {
  const row = await db<MessageRow>('chatmsg').where({ id, target_id: groupId, lane: GROUP_LANE }).first('seq')
  return row?.seq ?? Number.MAX_SAFE_INTEGER
}

interface Range {
  /** Only ids below this one. */
  readonly before: number
  readonly limit: number
  /** Only above this place in the sequence. */
  readonly since: number
}

/** @param end the place in the sequence of `before`, see sequenceAt */
const newestFirst = (db: Knex, groupId: number, { before, limit, since }: Range, end: number) =>
  db<MessageRow>('chatmsg')
    .where({ target_id: groupId, lane: GROUP_LANE, isActive: 1 })
    .where('seq', '>', since)
    .where('seq', '<', end)
    .where('id', '<', before)
    .orderBy('seq', 'desc')
    .limit(limit)

/** The newest messages of a group in a range, oldest first. */
export async function groupHistory(db: Knex, groupId: number, range: Range): Promise<MessageRow[]> {
  const rows = await newestFirst(db, groupId, range, await sequenceAt(db, groupId, range.before))
  return rows.reverse()
}

/** Ids of the newest messages of a group in a range, newest first. */
export async function groupMessageIds(db: Knex, groupId: number, range: Range): Promise<number[]> {
  const end = await sequenceAt(db, groupId, range.before)
  return (await newestFirst(db, groupId, range, end).select('id')).map(({ id }) => id)
}

/** The groups a user is in, and since when it sees what is said there. */
export async function groupsSeen(db: Knex, userId: number): Promise<{ id: number; name: string; since: number }[]> {
  return db('chatroom_user as u')
    .join('chatroom as g', 'g.id', 'u.chatroom_id')
    .where({ 'u.user_id': userId, 'u.isActive': 1, 'g.isActive': 1 })
    .whereNot({ 'u.role': 'invited' })
    .select({ id: 'g.id', name: 'g.chatroom_name', since: 'u.joined_seq' })
}

/** Makes a group with its owner; undefined when the name is taken. */
export async function insertGroup(
  db: Knex,
  {
    name,
    ownerId,
    isOpen,
    allHistory,
    now,
  }: { name: string; ownerId: number; isOpen: boolean; allHistory: boolean; now: number },
): Promise<number | undefined> {
  const make = async (trx: Knex.Transaction) => {
    const [id = 0] = await trx('chatroom').insert({
      chatroom_name: name,
      create_time: now,
      isActive: 1,
      isOpen,
      allHistory,
    })
    await trx('chatroom_user').insert({
      chatroom_id: id,
      user_id: ownerId,
      create_time: now,
      isActive: 1,
      role: 'owner',
    })
    return id
  }
  try {
    return await transact(db, make, { repeatable: false })
  } catch (error) {
    if (isDuplicate(error)) return undefined
    throw error
  }
}

/** Makes a user a member, for the first time or again: what was said before is read, and not seen unless all of it is. */
export async function enterGroup(db: Knex, groupId: number, userId: number, now: number) {
  await transact(db, async (trx) => {
    const group = await trx<GroupRow>('chatroom').where({ id: groupId }).first()
    const last = group?.last_seq ?? 0
    const positions = { read_seq: last, joined_seq: group?.allHistory ? 0 : last }
    await trx('chatroom_user')
      .insert({ chatroom_id: groupId, user_id: userId, create_time: now, isActive: 1, role: 'member', ...positions })
      .onConflict(['chatroom_id', 'user_id'])
      .merge(['create_time', 'isActive', 'role', 'read_seq', 'joined_seq'])
  })
}

/** Lets a user become a member. */
export async function inviteToGroup(db: Knex, groupId: number, userId: number, now: number) {
  const membership = { chatroom_id: groupId, user_id: userId }
  await db('chatroom_user')
    .insert({ ...membership, create_time: now, isActive: 0, role: 'invited' })
    .onConflict(['chatroom_id', 'user_id'])
    .merge(['chatroom_id'])
  // Not one who has become a member meanwhile.
  await db('chatroom_user')
    .where({ ...membership, isActive: 0 })
    .update({ role: 'invited' })
}

/** Ends a membership; false for the owner, whom a group always has. */
export async function leaveGroup(db: Knex, groupId: number, userId: number): Promise<boolean> {
  const left = await db('chatroom_user')
    .where({ chatroom_id: groupId, user_id: userId })
    .whereNot({ role: 'owner' })
    .update({ isActive: 0, role: 'member' })
  return left > 0
}

/** False for the owner, and for who is no member. */
export async function setMemberRole(
  db: Knex,
  groupId: number,
  userId: number,
  role: MemberRow['role'],
): Promise<boolean> {
  const set = await db('chatroom_user')
    .where({ chatroom_id: groupId, user_id: userId, isActive: 1 })
    .whereNot({ role: 'owner' })
    .update({ role })
  return set > 0
}

/** Makes another member the owner; the old one becomes an admin. False if they are owner and member no more. */
export async function handOver(db: Knex, groupId: number, fromId: number, toId: number): Promise<boolean> {
  return transact(db, async (trx) => {
    const from = { chatroom_id: groupId, user_id: fromId, role: 'owner' }
    const isOwner = await trx('chatroom_user').where(from).forUpdate().first()
    if (isOwner === undefined || !(await setMemberRole(trx, groupId, toId, 'owner'))) return false
    await trx('chatroom_user').where(from).update({ role: 'admin' })
    return true
  })
}

/** False when the name is taken. */
export async function renameGroup(db: Knex, groupId: number, name: string): Promise<boolean> {
  try {
    await db('chatroom').where({ id: groupId }).update({ chatroom_name: name })
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

export async function dissolveGroup(db: Knex, groupId: number) {
  await db('chatroom').where({ id: groupId }).update({ isActive: 0 })
}
