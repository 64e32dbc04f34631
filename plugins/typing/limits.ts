import { defineLimits, type LimitValues, liftable, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  typingPause: limit(
    3000,
    'ms',
    'time between two typing notices of one user in one conversation; within it they are dropped',
  ),
  typing: liftable(30, 'per minute', 'typing notices of one user in all conversations; beyond it they are dropped'),
})

export type TypingLimits = LimitValues<typeof LIMITS>
