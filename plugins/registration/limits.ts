import { defineLimits, type LimitValues, liftable } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  registrations: liftable(30, 'per hour', 'registrations from one address; beyond it they are refused'),
})

export type RegistrationLimits = LimitValues<typeof LIMITS>
