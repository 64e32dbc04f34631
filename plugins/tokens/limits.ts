import { defineLimits, type LimitValues, liftable, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  tokens: limit(50, 'count', 'valid tokens of one user; beyond it a new one is refused', 200),
  tokenLifetime: limit(31_622_400_000, 'ms', 'time for which a token is valid; beyond it a new one is refused'),
  tokenFailures: liftable(
    20,
    'per minute',
    'requests with a wrong token from one address; beyond it requests with a token that was not used before are refused',
  ),
})

export type TokenLimits = LimitValues<typeof LIMITS>
