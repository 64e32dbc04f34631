import { type Logger, pino } from 'pino'

/** Logger of a bot; a pino logger fits. */
export type BotLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** Default logger: NDJSON on stderr. */
export function standardLog(): BotLog {
  const stderr = pino.destination({ dest: 2, sync: true })
  // Log lines that cannot be written (disk full, closed pipe) are dropped; the bot continues.
  stderr.on('error', () => {})
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stderr)
}
