import { defineLimits, type LimitValues, liftable, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  groupMembers: limit(500, 'count', 'members of one group; beyond it joining is refused', 2000),
  groupsPerUser: limit(200, 'count', 'groups of one user; beyond it joining is refused'),
  groupsMade: liftable(200, 'per hour', 'groups created by one user; beyond it creating one is refused'),
  invitations: limit(
    500,
    'count',
    'pending invitations by one user, beyond which a new one is refused; and as many to one user, beyond which the oldest is withdrawn',
  ),
  invitationsToOne: limit(
    10,
    'count',
    'pending invitations by one user to the same user; beyond it a new one is refused',
  ),
})

export type GroupLimits = LimitValues<typeof LIMITS>
