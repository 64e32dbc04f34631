import { defineLimits, type LimitValues, liftable, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  groupMembers: limit(500, 'count', 'members of one group; beyond it joining is refused'),
  groupsPerUser: limit(200, 'count', 'groups of one user; beyond it joining is refused'),
  groupsMade: liftable(200, 'per hour', 'groups that one user makes; beyond it making another is refused'),
  invitations: limit(
    500,
    'count',
    'invitations by one user that wait, and as many to one user; beyond it another is refused',
  ),
  invitationsToOne: limit(10, 'count', 'invitations that wait, by one user to the same one; beyond it refused'),
})

export type GroupLimits = LimitValues<typeof LIMITS>
