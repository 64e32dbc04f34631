import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  text: limit(16 * 1024, 'bytes', 'UTF-8 text of one chat message; beyond it the message is refused'),
  unacknowledged: limit(100, 'count', 'pushes a session has not acknowledged; beyond it the next ones wait'),
  historyPage: limit(50, 'count', 'messages in a page of history when the client names no number'),
  searchRows: limit(
    10_000,
    'count',
    'messages that one search looks at; beyond it the client asks again from there on',
  ),
  botHops: limit(10, 'count', 'answers of bots to bots in a row; beyond it the next one is refused; at most 255'),
  botTurns: limit(100, 'per minute', 'bots speaking after other bots in a group, without a person; beyond it refused'),
})

export type MessagesLimits = LimitValues<typeof LIMITS>
