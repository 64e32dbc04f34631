import { defineLimits, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  editable: limit(86_400_000, 'ms', 'time after sending in which a message may be edited; beyond it edits are refused'),
})
