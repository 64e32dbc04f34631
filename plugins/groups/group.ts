import type { Knex } from 'knex'
import { findGroup, type MemberRow, membersOf } from '../../db/index.ts'

export type GroupRole = Exclude<MemberRow['role'], 'invited'>

/** A group as far as the message path must know it. */
export interface Group {
  readonly id: number
  readonly name: string
  readonly isOpen: boolean
  /** Active members only. */
  readonly members: ReadonlyMap<number, { readonly role: GroupRole; readonly joinedSeq: number }>
  readonly memberIds: readonly number[]
  readonly invited: ReadonlySet<number>
}

/** Groups kept in memory. */
export const GROUPS_KEPT = 5000

export async function loadGroup(db: Knex, name: string): Promise<Group | undefined> {
  const row = await findGroup(db, name)
  if (row === undefined) return undefined
  const rows = await membersOf(db, row.id)
  const active = rows.filter((member) => member.isActive && member.role !== 'invited')
  return {
    id: row.id,
    name: row.chatroom_name,
    isOpen: Boolean(row.isOpen),
    members: new Map(
      active.map((member) => [member.user_id, { role: member.role as GroupRole, joinedSeq: member.joined_seq }]),
    ),
    memberIds: active.map(({ user_id }) => user_id),
    invited: new Set(rows.filter(({ role }) => role === 'invited').map(({ user_id }) => user_id)),
  }
}
