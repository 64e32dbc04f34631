import { defineEvent } from '../../core/index.ts'

/** A group was created, renamed or dissolved, or its members changed. `userIds`: those whose view of it has changed. */
export const GroupChanged = defineEvent<{ readonly groupId: number; readonly userIds: readonly number[] }>(
  'groups.group_changed',
  { scope: 'cluster' },
)
