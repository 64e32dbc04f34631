import type { Knex } from 'knex'
import {
  type Actor,
  activeMembers,
  changedOne,
  changeGroup,
  checkGroupLimit,
  conflict,
  ENDED,
  effectiveRole,
  findMembership,
  type GroupConflict,
  type GroupKey,
  type GroupOutcome,
  refusalOfEntry,
  requireActor,
  requireMember,
} from './group-transaction.ts'
import type { MemberRow } from './groups.ts'
import { countRows } from './locks.ts'

/** Values of an invitation that is pending no more. */
const WITHDRAWN = { role: 'member' }

/** Roles of members that an owner or admin may not kick. */
const UNKICKABLE = { owner: ['owner'], admin: ['owner', 'admin'] } as const

/**
 * Makes a user a member, for the first time or again. Earlier messages count as read, and are visible only if the group
 * shows all history. An open group accepts every user who was not kicked, a closed one only invited users.
 */
export const joinGroup = (
  db: Knex,
  key: GroupKey,
  userId: number,
  { now, groupMembers, groupsPerUser }: { now: number; groupMembers: number; groupsPerUser: number },
): Promise<GroupOutcome> =>
  changeGroup(db, key, { locks: [userId], member: userId }, async (trx, group) => {
    const row = await findMembership(trx, key.id, userId)
    if (row?.isActive) conflict('already_member')
    const isBanned = Boolean(row?.isBanned)
    if ((!group.isOpen || isBanned) && row?.role !== 'invited') conflict(refusalOfEntry(group, row, 'not_invited'))
    if ((await countRows(activeMembers(trx, key.id))) >= groupMembers) conflict('group_full')
    await checkGroupLimit(trx, userId, groupsPerUser)
    const positions = { read_seq: group.last_seq, joined_seq: group.allHistory ? 0 : group.last_seq }
    const values = { create_time: now, isActive: 1, isBanned: false, role: 'member', ...positions }
    const membership = { chatroom_id: key.id, user_id: userId }
    if (row === undefined) await trx('chatroom_user').insert({ ...membership, ...values })
    else if (
      !(await changedOne(
        trx('chatroom_user')
          .where({ ...membership, isActive: 0 })
          .update(values),
      ))
    )
      conflict('already_member')
  })

const pendingInvitations = (db: Knex, ends: object) =>
  db('chatroom_user as m')
    .join('chatroom as g', 'g.id', 'm.chatroom_id')
    .where({ 'm.role': 'invited', 'm.isActive': 0, 'g.isActive': 1, ...ends })

/** Withdraws the oldest pending invitations beyond a number: many accounts must not shut out all others. */
async function withdrawExcess(trx: Knex.Transaction, ends: object, kept: number) {
  const newestFirst = pendingInvitations(trx, ends).orderBy('m.create_time', 'desc').orderBy('m.id', 'desc')
  const excess = await newestFirst.offset(kept).pluck('m.id')
  if (excess.length > 0) await trx('chatroom_user').whereIn('id', excess).where({ role: 'invited' }).update(WITHDRAWN)
}

/** Invites a user. `isNew` is false when an invitation was pending already. */
export async function inviteToGroup(
  db: Knex,
  key: GroupKey,
  actor: Actor,
  guestId: number,
  { now, invitations, invitationsToOne }: { now: number; invitations: number; invitationsToOne: number },
): Promise<{ readonly isNew: boolean } | { readonly conflict: GroupConflict }> {
  let isNew = false
  const outcome = await changeGroup(db, key, { locks: [actor.id, guestId] }, async (trx, group) => {
    if ((await effectiveRole(trx, group, actor)) === 'member') conflict('role_too_low')
    const both = [actor.id, guestId]
    const blocks = trx('userblock').where({ isActive: 1 }).whereIn('user_id', both).whereIn('blocked_id', both)
    const row = await findMembership(trx, key.id, guestId)
    if (row?.isActive) conflict('already_member')
    if ((await blocks.first('id')) !== undefined) conflict('blocked')
    isNew = row?.role !== 'invited'
    if (!isNew) return
    const countPending = (ends: object) => countRows(pendingInvitations(trx, ends))
    const [by, to] = [{ 'm.invited_by': actor.id }, { 'm.user_id': guestId }]
    if ((await countPending({ ...by, ...to })) >= invitationsToOne) conflict('too_many_invitations')
    if ((await countPending(by)) >= invitations) conflict('too_many_invitations')
    await withdrawExcess(trx, to, invitations - 1)
    const membership = { chatroom_id: key.id, user_id: guestId }
    const values = { create_time: now, isActive: 0, role: 'invited', invited_by: actor.id }
    if (row === undefined) await trx('chatroom_user').insert({ ...membership, ...values })
    else if (
      !(await changedOne(
        trx('chatroom_user')
          .where({ ...membership, isActive: 0 })
          .update(values),
      ))
    )
      conflict('already_member')
  })
  return 'conflict' in outcome ? outcome : { isNew }
}

export interface InvitationRow {
  readonly name: string
  /** The inviting user; 0 for an invitation that is older than this column. */
  readonly invited_by: number
  readonly create_time: number
}

/** Pending invitations of a user, newest first. */
export const invitationsTo = (db: Knex, userId: number, limit: number): Promise<InvitationRow[]> =>
  pendingInvitations(db, { 'm.user_id': userId })
    .orderBy('m.create_time', 'desc')
    .orderBy('m.id', 'desc')
    .limit(limit)
    .select({ name: 'g.chatroom_name', invited_by: 'm.invited_by', create_time: 'm.create_time' })

/** Ends a pending invitation of a user, who stays banned if a kick preceded it. */
export const declineInvitation = (db: Knex, key: GroupKey, userId: number): Promise<GroupOutcome> =>
  changeGroup(db, key, { locks: [userId] }, async (trx, group) => {
    const row = await findMembership(trx, key.id, userId)
    if (row?.role !== 'invited') conflict(refusalOfEntry(group, row, 'no_invitation'))
    await trx('chatroom_user').where({ chatroom_id: key.id, user_id: userId, role: 'invited' }).update(WITHDRAWN)
  })

/** Withdraws the pending invitations of a user who may no longer invite to the group. */
const withdrawInvitationsBy = (trx: Knex.Transaction, groupId: number, userId: number): Promise<number> =>
  trx('chatroom_user')
    .where({ chatroom_id: groupId, invited_by: userId, isActive: 0, role: 'invited' })
    .update(WITHDRAWN)

/** Ends a membership. The owner cannot leave: a group always has one. */
export const leaveGroup = (db: Knex, key: GroupKey, userId: number): Promise<GroupOutcome> =>
  changeGroup(db, key, { member: userId }, async (trx, group) => {
    const own = activeMembers(trx, key.id).where({ user_id: userId })
    if (await changedOne(own.clone().whereNot({ role: 'owner' }).update(ENDED)))
      return withdrawInvitationsBy(trx, key.id, userId)
    await requireActor(trx, group, userId)
    conflict('owner_must_stay')
  })

/**
 * Ends the membership of another user with a lower role, who may join again only by an invitation. That holds for a former
 * member too: otherwise leaving just before would evade it.
 */
export const kickFromGroup = (db: Knex, key: GroupKey, actor: Actor, userId: number): Promise<GroupOutcome> =>
  changeGroup(db, key, { member: userId }, async (trx, group) => {
    const role = await effectiveRole(trx, group, actor)
    if (role === 'member') conflict('role_too_low')
    const target = activeMembers(trx, key.id).where({ user_id: userId }).whereNot({ user_id: actor.id })
    const kickable = target.whereNotIn('role', UNKICKABLE[role as keyof typeof UNKICKABLE])
    if (await changedOne(kickable.update({ ...ENDED, isBanned: true })))
      return withdrawInvitationsBy(trx, key.id, userId)
    const row = await findMembership(trx, key.id, userId)
    if (row?.isActive) conflict('role_too_low')
    if (row === undefined || !(await banFormer(trx, row))) conflict('not_member')
  })

/** Bans a former member; false for a user who was never a member, is banned already, or is invited. */
const banFormer = (trx: Knex.Transaction, { chatroom_id, user_id }: MemberRow): Promise<boolean> =>
  changedOne(
    trx('chatroom_user')
      .where({ chatroom_id, user_id, isActive: 0, isBanned: 0, role: 'member' })
      .update({ isBanned: true }),
  )

/** Sets the role of a member. A new owner replaces the old one, who becomes an admin. */
export const setGroupRole = (
  db: Knex,
  key: GroupKey,
  actor: Actor,
  userId: number,
  role: Exclude<MemberRow['role'], 'invited'>,
): Promise<GroupOutcome> =>
  changeGroup(db, key, { locks: [userId] }, async (trx, group) => {
    if ((await effectiveRole(trx, group, actor)) !== 'owner') conflict('role_too_low')
    const { role: currentRole } = await requireMember(trx, key.id, userId)
    if (currentRole === 'owner') conflict(userId === actor.id ? 'owner_must_stay' : 'role_too_low')
    if (role === 'owner') {
      // An owner who cannot log in could not hand the group over.
      if ((await trx('userinfo').where({ id: userId, isActive: 1 }).first('id')) === undefined)
        conflict('user_not_exist')
      await activeMembers(trx, key.id).where({ role: 'owner' }).update({ role: 'admin' })
    }
    const member = activeMembers(trx, key.id).where({ user_id: userId }).whereNot({ role: 'owner' })
    if (!(await changedOne(member.update({ role })))) conflict('not_member')
    if (role === 'member') await withdrawInvitationsBy(trx, key.id, userId)
  })

/** Withdraws the pending invitations of one user to another, to any group. */
export const withdrawInvitations = (trx: Knex.Transaction, fromId: number, toId: number): Promise<number> =>
  trx('chatroom_user').where({ user_id: toId, invited_by: fromId, isActive: 0, role: 'invited' }).update(WITHDRAWN)
