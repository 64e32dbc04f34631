import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  hooks: limit(20, 'count', 'outgoing webhooks of one user; beyond it a new one is refused', 1000),
  hookRequests: limit(32, 'count', 'requests of outgoing webhooks at once, 4 of each; beyond it others wait'),
  hookTimeout: limit(10_000, 'ms', 'time of one request of an outgoing webhook; beyond it the attempt has failed'),
  hookDeadLetters: limit(
    1000,
    'count',
    'undelivered events kept of one outgoing webhook; beyond it the oldest one is dropped',
  ),
})

export type HookLimits = LimitValues<typeof LIMITS>
