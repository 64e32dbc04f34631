import { defineLimits, limit } from '../../core/limits.ts'
import { MAX_EMOJI } from './fields.ts'

export const LIMITS = defineLimits({
  reactionsPerUser: limit(5, 'count', 'reactions of one user to one message; beyond it further ones are refused'),
  reactionEmoji: limit(MAX_EMOJI, 'count', 'different emoji on one message; beyond it new ones are refused', MAX_EMOJI),
})
