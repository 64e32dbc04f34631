import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  consumers: limit(20, 'count', 'durable consumers of one user; beyond it a new one is refused'),
  consumerKeys: limit(10_000, 'count', 'state keys of one consumer; beyond it a new one is refused'),
  consumerBytes: limit(16 * 1024 * 1024, 'bytes', 'stored state of one consumer; beyond it more is refused'),
})

export type ConsumerLimits = LimitValues<typeof LIMITS>
