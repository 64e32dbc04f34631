import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  requestKeys: limit(604_800_000, 'ms', 'lifetime of an idempotency key; beyond it the same key makes a new request'),
  requestKeysPerUser: limit(100_000, 'count', 'idempotency keys of one user; beyond it the oldest are deleted'),
  requestReplies: limit(
    16_777_216,
    'bytes',
    'stored replies for the idempotency keys of one user; beyond it the oldest are deleted',
  ),
})

export type IdempotencyLimits = LimitValues<typeof LIMITS>
