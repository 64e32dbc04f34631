import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  requestKeys: limit(
    604_800_000,
    'ms',
    'that a request with a key is remembered; beyond it the same key is a new request',
  ),
  requestKeysPerUser: limit(100_000, 'count', 'keys of one user; beyond it the oldest are forgotten'),
  requestReplies: limit(
    16_777_216,
    'bytes',
    'replies kept for the keys of one user; beyond it the oldest are forgotten',
  ),
})

export type IdempotencyLimits = LimitValues<typeof LIMITS>
