import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  friends: limit(2000, 'count', 'friends of one user; beyond it a friend request or its acceptance is refused', 2000),
  friendRequests: limit(
    500,
    'count',
    'unanswered friend requests of one user, beyond which a new one is refused; and as many to one user, beyond which the oldest is dropped',
    500,
  ),
  blocks: limit(2000, 'count', 'users that one user has blocked; beyond it a further block is refused', 2000),
})

export type FriendLimits = LimitValues<typeof LIMITS>
