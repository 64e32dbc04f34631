import { defineEvent } from '../../core/index.ts'

/** A friendship began or ended. */
export const FriendshipChanged = defineEvent<{ readonly between: readonly [number, number] }>(
  'friends.friendship_changed',
  { scope: 'cluster' },
)
