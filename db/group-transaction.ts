import type { Knex } from 'knex'
import { type GroupRow, type MemberRow, membersOf } from './groups.ts'
import { Conflict, countRows, lockUsers } from './locks.ts'
import { note } from './log.ts'
import { transact } from './transaction.ts'

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
  | 'no_invitation'
  | 'owner_must_stay'
  | 'role_too_low'
  | 'blocked'
  | 'user_not_exist'

/** A group's id with the name it must still have: a renamed group may not be the one that the client meant. */
export interface GroupKey {
  readonly id: number
  readonly name: string
}

/** A group and its active members at the commit of a change. */
export interface ChangedGroup {
  readonly group: GroupRow
  readonly members: readonly MemberRow[]
}

/** The changed group, or why it was not changed. */
export type GroupOutcome = ChangedGroup | { readonly conflict: GroupConflict }

/** User who requests a change; `isOperator` when the operator acts as that user. */
export interface Actor {
  readonly id: number
  readonly isOperator?: boolean
}

export const conflict = (reason: GroupConflict): never => {
  throw new Conflict(reason)
}

/** Values of a membership or invitation that has ended. */
export const ENDED = { isActive: 0, role: 'member' }

/** True when the update matched exactly one row, so the conditions of its WHERE held. */
export const changedOne = async (update: PromiseLike<number>): Promise<boolean> => (await update) === 1

/** Runs a change in a transaction. Not idempotent: an error when the connection is lost at its commit. */
export async function transactChange<T>(
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

export interface Affected {
  /** Users whose locks are taken before the group's. */
  readonly locks?: readonly number[]
  /** The user who becomes a member or ceases to be one. */
  readonly member?: number
}

/** Changes a group under its lock. */
export const changeGroup = (
  db: Knex,
  { id, name }: GroupKey,
  { locks = [], member }: Affected,
  work: (trx: Knex.Transaction, group: GroupRow) => Promise<unknown>,
): Promise<GroupOutcome> =>
  transactChange(db, async (trx) => {
    if (locks.length > 0) await lockUsers(trx, ...locks)
    const current = trx<GroupRow & { isActive: number }>('chatroom').where({ id, isActive: 1 })
    const group = await current.clone().where({ chatroom_name: name }).forUpdate().first()
    if (group === undefined) return conflict('group_not_exist')
    await work(trx, group)
    const changed = {
      group: (await trx<GroupRow>('chatroom').where({ id }).first()) ?? group,
      members: await membersOf(trx, id),
    }
    await note(trx, { topic: 'group', subject: id, target_id: member })
    return changed
  })

/** A user's row in a group: a membership, an invitation, or a former one. */
export const findMembership = (
  trx: Knex.Transaction,
  groupId: number,
  userId: number,
): Promise<MemberRow | undefined> =>
  trx<MemberRow>('chatroom_user').where({ chatroom_id: groupId, user_id: userId }).first()

const isMember = (row: MemberRow | undefined): row is MemberRow => Boolean(row?.isActive) && row?.role !== 'invited'

/** The row of an active member. @throws Conflict `not_member` */
export async function requireMember(trx: Knex.Transaction, groupId: number, userId: number): Promise<MemberRow> {
  const row = await findMembership(trx, groupId, userId)
  return isMember(row) ? row : conflict('not_member')
}

/** Only members, invited users and former members may learn that a closed group exists: to others it does not. */
export const refusalOfEntry = (group: GroupRow, row: MemberRow | undefined, otherwise: GroupConflict): GroupConflict =>
  row === undefined && !group.isOpen ? 'group_not_exist' : otherwise

/** The row of the user who requests something as a member. @throws Conflict `not_member`, `group_not_exist` */
export async function requireActor(trx: Knex.Transaction, group: GroupRow, userId: number): Promise<MemberRow> {
  const row = await findMembership(trx, group.id, userId)
  return isMember(row) ? row : conflict(refusalOfEntry(group, row, 'not_member'))
}

/**
 * The role whose rights an actor has in a group. While the owner's account is disabled, admins, and the operator acting
 * as any member, have the owner's rights; otherwise nobody could ever appoint another owner.
 * @throws Conflict `not_member`, `group_not_exist`
 */
export async function effectiveRole(
  trx: Knex.Transaction,
  group: GroupRow,
  { id, isOperator }: Actor,
): Promise<MemberRow['role']> {
  const { role } = await requireActor(trx, group, id)
  if (role === 'owner' || (role !== 'admin' && !isOperator)) return role
  const owner = await trx('chatroom_user as m')
    .join('userinfo as u', 'u.id', 'm.user_id')
    .where({ 'm.chatroom_id': group.id, 'm.isActive': 1, 'm.role': 'owner', 'u.isActive': 1 })
    .first('u.id')
  return owner === undefined ? 'owner' : role
}

export const activeMembers = (trx: Knex.Transaction, groupId: number) =>
  trx('chatroom_user').where({ chatroom_id: groupId, isActive: 1 })

/** The caller holds the user's lock. @throws Conflict `too_many_groups` */
export async function checkGroupLimit(trx: Knex.Transaction, userId: number, limit: number) {
  const groups = trx('chatroom_user as m')
    .join('chatroom as g', 'g.id', 'm.chatroom_id')
    .where({ 'm.user_id': userId, 'm.isActive': 1, 'g.isActive': 1 })
  if ((await countRows(groups)) >= limit) conflict('too_many_groups')
}
