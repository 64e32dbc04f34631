import type { ChangedGroup, MemberRow } from '../../db/index.ts'

export type GroupRole = Exclude<MemberRow['role'], 'invited'>

/** The state of a group at one commit, as far as the message path needs it. */
export interface Group {
  readonly id: number
  readonly name: string
  readonly isOpen: boolean
  /** Active members only. A member may read the group's messages above `joinedSeq` in its sequence. */
  readonly members: ReadonlyMap<number, { readonly role: GroupRole; readonly joinedSeq: number }>
  readonly memberIds: readonly number[]
}

export const toGroup = ({ group: { id, chatroom_name, isOpen }, members }: ChangedGroup): Group => ({
  id,
  name: chatroom_name,
  isOpen: Boolean(isOpen),
  members: new Map(
    members.map(({ user_id, role, joined_seq }) => [user_id, { role: role as GroupRole, joinedSeq: joined_seq }]),
  ),
  memberIds: members.map(({ user_id }) => user_id),
})
