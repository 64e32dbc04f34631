import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  friends: limit(2000, 'count', 'friends of one user; beyond it a request or a yes is refused'),
  friendRequests: limit(
    500,
    'count',
    'friend requests of one user that wait for an answer, and as many to one user; beyond it another is refused',
  ),
  blocks: limit(2000, 'count', 'users that one user has blocked; beyond it another is refused'),
})

export type FriendLimits = LimitValues<typeof LIMITS>
