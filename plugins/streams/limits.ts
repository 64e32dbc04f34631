import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  streams: limit(20, 'count', 'open streams of one user; beyond it a new one is refused'),
  streamTime: limit(600_000, 'ms', 'time from opening a stream to its end; beyond it the text so far is stored'),
  streamGrace: limit(
    15_000,
    'ms',
    'time to resume a stream after its session has ended; beyond it the text so far is stored',
  ),
  streamPause: limit(150, 'ms', 'time between two pushes of a growing text; changes within it are pushed together'),
})

export type StreamsLimits = LimitValues<typeof LIMITS>
