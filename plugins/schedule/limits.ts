import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  scheduled: limit(100, 'count', 'messages of one user that wait for their time; beyond it another is refused'),
})

export type ScheduleLimits = LimitValues<typeof LIMITS>
