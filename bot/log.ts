import { type Logger, pino } from 'pino'

/** What a bot needs of a log; a pino logger fits. */
export type BotLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** The log of a bot that was given none: NDJSON on stderr. */
export const standardLog = (): BotLog =>
  pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
