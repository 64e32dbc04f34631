import type { Knex } from 'knex'
import {
  type Actor,
  changedOne,
  changeGroup,
  checkGroupLimit,
  conflict,
  ENDED,
  effectiveRole,
  type GroupConflict,
  type GroupKey,
  type GroupOutcome,
  transactChange,
} from './group-transaction.ts'
import { type MemberRow, membersOf } from './groups.ts'
import { lockUsers } from './locks.ts'
import { note } from './log.ts'
import { isDuplicate } from './transaction.ts'

export interface NewGroup {
  readonly name: string
  readonly ownerId: number
  readonly isOpen: boolean
  readonly allHistory: boolean
  readonly now: number
  /** Most groups that the owner may be in; unlimited if omitted. */
  readonly groupsPerUser?: number
}

/** Creates a group with its owner. */
export async function insertGroup(
  db: Knex,
  { name, ownerId, isOpen, allHistory, now, groupsPerUser = Number.MAX_SAFE_INTEGER }: NewGroup,
): Promise<{ readonly id: number } | { readonly conflict: GroupConflict }> {
  return transactChange(db, async (trx) => {
    await lockUsers(trx, ownerId)
    await checkGroupLimit(trx, ownerId, groupsPerUser)
    const values = { chatroom_name: name, create_time: now, isActive: 1, isOpen, allHistory }
    const [id = 0] = await unlessTaken(trx('chatroom').insert(values))
    const owner = { chatroom_id: id, user_id: ownerId, create_time: now, isActive: 1, role: 'owner' }
    await trx('chatroom_user').insert(owner)
    await note(trx, { topic: 'group', subject: id, target_id: ownerId })
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

export const renameGroup = (db: Knex, key: GroupKey, actor: Actor, name: string): Promise<GroupOutcome> =>
  changeGroup(db, key, {}, async (trx, group) => {
    if ((await effectiveRole(trx, group, actor)) === 'member') conflict('role_too_low')
    const current = trx('chatroom').where({ id: key.id, chatroom_name: key.name, isActive: 1 })
    if (!(await changedOne(unlessTaken(current.update({ chatroom_name: name }))))) conflict('group_not_exist')
  })

/** Stored in place of the name of a dissolved group, so that the name is free; contains a character no name may have. */
const freedName = (id: number) => `\u001f${id}`

/**
 * Dissolves a group, frees its name, and ends its memberships and invitations: they would be read with the others of their
 * users for good. The outcome lists the members that it had.
 */
export async function dissolveGroup(db: Knex, key: GroupKey, actor: Actor): Promise<GroupOutcome> {
  let members: readonly MemberRow[] = []
  const outcome = await changeGroup(db, key, {}, async (trx, group) => {
    if ((await effectiveRole(trx, group, actor)) !== 'owner') conflict('role_too_low')
    const dissolved = { isActive: 0, former_name: key.name, chatroom_name: freedName(key.id) }
    const current = trx('chatroom').where({ id: key.id, chatroom_name: key.name, isActive: 1 })
    if (!(await changedOne(current.update(dissolved)))) conflict('group_not_exist')
    members = await membersOf(trx, key.id)
    await trx('chatroom_user').where({ chatroom_id: key.id, isActive: 1 }).update(ENDED)
    await trx('chatroom_user').where({ chatroom_id: key.id, isActive: 0, role: 'invited' }).update(ENDED)
  })
  return 'conflict' in outcome ? outcome : { ...outcome, members }
}
