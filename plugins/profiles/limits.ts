import { defineLimits, type LimitValues, liftable } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  profileChanges: liftable(60, 'per hour', 'changes of the profile of one user; beyond it a change is refused'),
})

export type ProfileLimits = LimitValues<typeof LIMITS>
