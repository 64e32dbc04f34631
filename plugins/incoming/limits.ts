import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  incomingHooks: limit(50, 'count', 'incoming hooks of one user; beyond it a new one is refused', 200),
  incomingHookBody: limit(1024 * 1024, 'bytes', 'body of a request to an incoming hook; beyond it 413'),
})

export type IncomingLimits = LimitValues<typeof LIMITS>
