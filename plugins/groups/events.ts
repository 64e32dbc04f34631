import { defineEvent } from '../../core/index.ts'

/** A group is another for these users: made, joined, left, renamed or dissolved. */
export const GroupChanged = defineEvent<{ readonly groupId: number; readonly userIds: Iterable<number> }>(
  'groups.group_changed',
)
