import { GroupChanged } from './events.ts'
import { JoinLeaveChatroom } from './messages.ts'
import type { Parts } from './parts.ts'
import type { Change } from './roster.ts'

export interface Notice {
  /** The group's name before the change. */
  readonly group: string
  /** The user whom the change concerns, or who made it. */
  readonly user: string
  readonly what: 'joined' | 'left' | 'kicked' | 'role' | 'renamed' | 'dissolved'
  readonly value?: string
}

/** Notifies the members before and after a change. @param alsoTo users who are not members any more */
export function announceChange(
  { app }: Parts,
  { before, after }: Change,
  { value = '', ...notice }: Notice,
  alsoTo: readonly number[] = [],
) {
  const userIds = [...new Set([...(before ?? after).memberIds, ...after.memberIds, ...alsoTo])]
  app.users.send(userIds, JoinLeaveChatroom, { ...notice, value })
  app.share(GroupChanged, { groupId: after.id, userIds }, userIds)
}
