import { defineEvent } from '../../core/index.ts'

/** Two users became friends, or are friends no more. */
export const FriendshipChanged = defineEvent<{ readonly between: readonly [number, number] }>(
  'friends.friendship_changed',
)
