import { defineLimits, type LimitValues, limit } from '../../core/limits.ts'

export const LIMITS = defineLimits({
  text: limit(16 * 1024, 'bytes', 'length of the UTF-8 text of one message; beyond it the message is refused'),
  unacknowledged: limit(100, 'count', 'unacknowledged messages pushed to one session; beyond it further ones wait'),
  historyPage: limit(50, 'count', 'messages in a page of history if the client requests no number'),
  searchRows: limit(
    10_000,
    'count',
    'messages that one search examines; beyond it the client continues with another search',
  ),
  botHops: limit(10, 'count', 'bot replies to bots in a row; beyond it the next one is refused', 255),
  botTurns: limit(
    100,
    'per minute',
    'messages of bots after other bots in one group, without a person; beyond it they are refused',
  ),
})

export type MessagesLimits = LimitValues<typeof LIMITS>
