import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  devices: limit(20, 'count', 'devices of one user; beyond it a new one is refused', 1000),
})

export type DeviceLimits = LimitValues<typeof LIMITS>
