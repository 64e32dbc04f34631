import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  scheduled: limit(100, 'count', 'waiting scheduled messages of one user; beyond it a new one is refused'),
})

export type ScheduleLimits = LimitValues<typeof LIMITS>
