import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  tapRate: limit(2000, 'per second', 'messages that one tap shows; beyond it they are counted but not shown'),
})

export type TapLimits = LimitValues<typeof LIMITS>
