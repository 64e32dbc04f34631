import type { Knex } from 'knex'
import { type GroupRow, type MemberRow, membersOf } from './groups.ts'
import { Conflict, countRows, lockUsers } from './locks.ts'
import { isDuplicate, transact } from './transaction.ts'

/** Why a change of a group was not made. */
export type GroupConflict =
  | 'group_not_exist'
  | 'group_exists'
  | 'group_full'
  | 'too_many_groups'
  | 'too_many_invitations'
  | 'not_member'
  | 'already_member'
  | 'not_invited'
  | 'owner_must_stay'
  | 'role_too_low'
  | 'blocked'
  | 'user_not_exist'

/** A group by its number, and the name it must have: under another one, it is not the group that was meant. */
export interface GroupKey {
  readonly id: number
  readonly name: string
}

/** A group and its active members at a commit. */
export interface ChangedGroup {
  readonly group: GroupRow
  readonly members: readonly MemberRow[]
}

/** What a change has made of a group, or why it was not made. */
export type GroupOutcome = ChangedGroup | { readonly conflict: GroupConflict }

/** Who asks for a change; `isOperator` where that is the operator in the name of a member. */
export interface Actor {
  readonly id: number
  readonly isOperator?: boolean
}

/** Roles that may not be changed by someone of this one. */
const ABOVE = { owner: ['owner'], admin: ['owner', 'admin'] } as const

const conflict = (reason: GroupConflict): never => {
  throw new Conflict(reason)
}

/** True when exactly one row was changed: what the statement asks for was so. */
const isDone = async (update: PromiseLike<number>): Promise<boolean> => (await update) === 1

/** Runs a change; a connection lost at its end is an error, since doing it twice is not the same as doing it once. */
async function settle<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<T | { readonly conflict: GroupConflict }> {
  try {
    return await transact(db, work, { repeatable: false })
  } catch (error) {
    if (error instanceof Conflict) return { conflict: error.reason as GroupConflict }
    throw error
  }
}

/** Changes a group under its lock, after those of users. */
const change = (
  db: Knex,
  { id, name }: GroupKey,
  users: readonly number[],
  work: (trx: Knex.Transaction, group: GroupRow) => Promise<unknown>,
): Promise<GroupOutcome> =>
  settle(db, async (trx) => {
    if (users.length > 0) await lockUsers(trx, ...users)
    const current = trx<GroupRow & { isActive: number }>('chatroom').where({ id, isActive: 1 })
    const group = await current.clone().where({ chatroom_name: name }).forUpdate().first()
    if (group === undefined) return conflict('group_not_exist')
    await work(trx, group)
    return {
      group: (await trx<GroupRow>('chatroom').where({ id }).first()) ?? group,
      members: await membersOf(trx, id),
    }
  })

const rowOf = (trx: Knex.Transaction, groupId: number, userId: number): Promise<MemberRow | undefined> =>
  trx<MemberRow>('chatroom_user').where({ chatroom_id: groupId, user_id: userId }).first()

/** An active member's row. @throws Conflict `not_member` */
async function memberRow(trx: Knex.Transaction, groupId: number, userId: number): Promise<MemberRow> {
  const row = await rowOf(trx, groupId, userId)
  return row?.isActive && row.role !== 'invited' ? row : conflict('not_member')
}

/**
 * As what someone may act in a group: while the owner's account is disabled, admins act as the owner would, and so does
 * the operator in a member's name, or the group would be without an owner for good.
 */
async function powerOf(trx: Knex.Transaction, groupId: number, { id, isOperator }: Actor): Promise<MemberRow['role']> {
  const { role } = await memberRow(trx, groupId, id)
  if (role === 'owner' || (role !== 'admin' && !isOperator)) return role
  const owner = await trx('chatroom_user as m')
    .join('userinfo as u', 'u.id', 'm.user_id')
    .where({ 'm.chatroom_id': groupId, 'm.isActive': 1, 'm.role': 'owner', 'u.isActive': 1 })
    .first('u.id')
  return owner === undefined ? 'owner' : role
}

const activeIn = (trx: Knex.Transaction, groupId: number) =>
  trx('chatroom_user').where({ chatroom_id: groupId, isActive: 1 })

/** Under the user's lock. @throws Conflict `too_many_groups` */
async function checkGroupsOf(trx: Knex.Transaction, userId: number, limit: number) {
  const groups = trx('chatroom_user as m')
    .join('chatroom as g', 'g.id', 'm.chatroom_id')
    .where({ 'm.user_id': userId, 'm.isActive': 1, 'g.isActive': 1 })
  if ((await countRows(groups)) >= limit) conflict('too_many_groups')
}

export interface NewGroup {
  readonly name: string
  readonly ownerId: number
  readonly isOpen: boolean
  readonly allHistory: boolean
  readonly now: number
  /** Groups of the owner at most; without it as many as there may be. */
  readonly groupsPerUser?: number
}

/** Makes a group with its owner. */
export async function insertGroup(
  db: Knex,
  { name, ownerId, isOpen, allHistory, now, groupsPerUser = Number.MAX_SAFE_INTEGER }: NewGroup,
): Promise<{ readonly id: number } | { readonly conflict: GroupConflict }> {
  return settle(db, async (trx) => {
    await lockUsers(trx, ownerId)
    await checkGroupsOf(trx, ownerId, groupsPerUser)
    const values = { chatroom_name: name, create_time: now, isActive: 1, isOpen, allHistory }
    const [id = 0] = await unlessTaken(trx('chatroom').insert(values))
    const owner = { chatroom_id: id, user_id: ownerId, create_time: now, isActive: 1, role: 'owner' }
    await trx('chatroom_user').insert(owner)
    return { id }
  })
}

/** @throws Conflict `group_exists` */
async function unlessTaken<T>(naming: PromiseLike<T>): Promise<T> {
  try {
    return await naming
  } catch (error) {
    if (isDuplicate(error)) return conflict('group_exists')
    throw error
  }
}

/**
 * Makes a user a member, for the first time or again: what was said before is read, and not seen unless all of it is.
 * An open group takes everyone, another one those it has invited.
 */
export const joinGroup = (
  db: Knex,
  key: GroupKey,
  userId: number,
  { now, groupMembers, groupsPerUser }: { now: number; groupMembers: number; groupsPerUser: number },
): Promise<GroupOutcome> =>
  change(db, key, [userId], async (trx, group) => {
    const row = await rowOf(trx, key.id, userId)
    if (row?.isActive) conflict('already_member')
    // That there is such a group is not for everyone to know.
    if (!group.isOpen && row?.role !== 'invited') conflict(row === undefined ? 'group_not_exist' : 'not_invited')
    if ((await countRows(activeIn(trx, key.id))) >= groupMembers) conflict('group_full')
    await checkGroupsOf(trx, userId, groupsPerUser)
    const positions = { read_seq: group.last_seq, joined_seq: group.allHistory ? 0 : group.last_seq }
    const values = { create_time: now, isActive: 1, role: 'member', ...positions }
    const membership = { chatroom_id: key.id, user_id: userId }
    if (row === undefined) await trx('chatroom_user').insert({ ...membership, ...values })
    else if (
      !(await isDone(
        trx('chatroom_user')
          .where({ ...membership, isActive: 0 })
          .update(values),
      ))
    )
      conflict('already_member')
  })

/** Lets a user become a member. `isNew` is false where an invitation was waiting already. */
export async function inviteToGroup(
  db: Knex,
  key: GroupKey,
  actor: Actor,
  guestId: number,
  { now, invitations, invitationsToOne }: { now: number; invitations: number; invitationsToOne: number },
): Promise<{ readonly isNew: boolean } | { readonly conflict: GroupConflict }> {
  let isNew = false
  const outcome = await change(db, key, [actor.id, guestId], async (trx) => {
    if ((await powerOf(trx, key.id, actor)) === 'member') conflict('role_too_low')
    const ends = [actor.id, guestId]
    const blocks = trx('userblock').where({ isActive: 1 }).whereIn('user_id', ends).whereIn('blocked_id', ends)
    const row = await rowOf(trx, key.id, guestId)
    if (row?.isActive) conflict('already_member')
    if ((await blocks.first('id')) !== undefined) conflict('blocked')
    isNew = row?.role !== 'invited'
    if (!isNew) return
    const waiting = (ends: object) =>
      countRows(
        trx('chatroom_user as m')
          .join('chatroom as g', 'g.id', 'm.chatroom_id')
          .where({ 'm.role': 'invited', 'm.isActive': 0, 'g.isActive': 1, ...ends }),
      )
    const [by, to] = [{ 'm.invited_by': actor.id }, { 'm.user_id': guestId }]
    if ((await waiting({ ...by, ...to })) >= invitationsToOne) conflict('too_many_invitations')
    if ((await waiting(by)) >= invitations || (await waiting(to)) >= invitations) conflict('too_many_invitations')
    const membership = { chatroom_id: key.id, user_id: guestId }
    const values = { create_time: now, isActive: 0, role: 'invited', invited_by: actor.id }
    if (row === undefined) await trx('chatroom_user').insert({ ...membership, ...values })
    else if (
      !(await isDone(
        trx('chatroom_user')
          .where({ ...membership, isActive: 0 })
          .update(values),
      ))
    )
      conflict('already_member')
  })
  return 'conflict' in outcome ? outcome : { isNew }
}

/** What a membership becomes that ends. */
const LEFT = { isActive: 0, role: 'member' }

/** Withdraws the invitations to a group of someone who may not invite any more. */
const withdrawFrom = (trx: Knex.Transaction, groupId: number, userId: number): Promise<number> =>
  trx('chatroom_user')
    .where({ chatroom_id: groupId, invited_by: userId, isActive: 0, role: 'invited' })
    .update({ role: 'member' })

/** Ends a membership; not the owner's, whom a group always has. */
export const leaveGroup = (db: Knex, key: GroupKey, userId: number): Promise<GroupOutcome> =>
  change(db, key, [], async (trx) => {
    const own = activeIn(trx, key.id).where({ user_id: userId })
    if (await isDone(own.clone().whereNot({ role: 'owner' }).update(LEFT))) return withdrawFrom(trx, key.id, userId)
    await memberRow(trx, key.id, userId)
    conflict('owner_must_stay')
  })

/** Ends the membership of another one of a lower role. */
export const kickFromGroup = (db: Knex, key: GroupKey, actor: Actor, userId: number): Promise<GroupOutcome> =>
  change(db, key, [], async (trx) => {
    const power = await powerOf(trx, key.id, actor)
    if (power === 'member') conflict('role_too_low')
    const theirs = activeIn(trx, key.id).where({ user_id: userId }).whereNot({ user_id: actor.id })
    if (await isDone(theirs.whereNotIn('role', ABOVE[power as keyof typeof ABOVE]).update(LEFT)))
      return withdrawFrom(trx, key.id, userId)
    await memberRow(trx, key.id, userId)
    conflict('role_too_low')
  })

/** Gives a member a role. A new owner takes the place of the old one, who becomes an admin. */
export const setGroupRole = (
  db: Knex,
  key: GroupKey,
  actor: Actor,
  userId: number,
  role: Exclude<MemberRow['role'], 'invited'>,
): Promise<GroupOutcome> =>
  change(db, key, [userId], async (trx) => {
    if ((await powerOf(trx, key.id, actor)) !== 'owner') conflict('role_too_low')
    const { role: theirs } = await memberRow(trx, key.id, userId)
    if (theirs === 'owner') conflict(userId === actor.id ? 'owner_must_stay' : 'role_too_low')
    if (role === 'owner') {
      // Nobody could take the group over from one who cannot log in.
      if ((await trx('userinfo').where({ id: userId, isActive: 1 }).first('id')) === undefined)
        conflict('user_not_exist')
      await activeIn(trx, key.id).where({ role: 'owner' }).update({ role: 'admin' })
    }
    const member = activeIn(trx, key.id).where({ user_id: userId }).whereNot({ role: 'owner' })
    if (!(await isDone(member.update({ role })))) conflict('not_member')
    if (role === 'member') await withdrawFrom(trx, key.id, userId)
  })

export const renameGroup = (db: Knex, key: GroupKey, actor: Actor, name: string): Promise<GroupOutcome> =>
  change(db, key, [], async (trx) => {
    if ((await powerOf(trx, key.id, actor)) === 'member') conflict('role_too_low')
    const current = trx('chatroom').where({ id: key.id, chatroom_name: key.name, isActive: 1 })
    if (!(await isDone(unlessTaken(current.update({ chatroom_name: name }))))) conflict('group_not_exist')
  })

/** The name of a group that gives its own back: no group can be called so, and none is shown so. */
const freedName = (id: number) => `\u001f${id}`

/** Ends a group. Its name is free for another one. The outcome's members are those it had. */
export const dissolveGroup = (db: Knex, key: GroupKey, actor: Actor): Promise<GroupOutcome> =>
  change(db, key, [], async (trx) => {
    if ((await powerOf(trx, key.id, actor)) !== 'owner') conflict('role_too_low')
    const dissolved = { isActive: 0, former_name: key.name, chatroom_name: freedName(key.id) }
    const current = trx('chatroom').where({ id: key.id, chatroom_name: key.name, isActive: 1 })
    if (!(await isDone(current.update(dissolved)))) conflict('group_not_exist')
  })

/** Withdraws the invitations of one user to another. */
export const withdrawInvitations = (trx: Knex.Transaction, fromId: number, toId: number): Promise<number> =>
  trx('chatroom_user')
    .where({ user_id: toId, invited_by: fromId, isActive: 0, role: 'invited' })
    .update({ role: 'member' })
