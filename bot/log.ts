import { type Logger, pino } from 'pino'

/** What a bot needs of a log; a pino logger fits. */
export type BotLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** The log of a bot that was given none: NDJSON on stderr. */
export function standardLog(): BotLog {
  const stderr = pino.destination({ dest: 2, sync: true })
  // A log that nobody can take, on a full disk or in a closed pipe, is lost; the bot goes on.
  stderr.on('error', () => {})
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stderr)
}
