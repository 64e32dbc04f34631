import { CliError } from '../errors/exit.ts'
import { readSpan } from './time-span.ts'

/** Longest delay of setTimeout. */
const MAX_TIMER_MS = 0x7fffffff

/** Milliseconds of `250ms`, `10s`, `1h30m`; a bare number is seconds. At most 24 days. @throws CliError */
export function parseDuration(text: string | number): number {
  const ms = readSpan(String(text))
  if (ms === undefined) throw new CliError('usage', `"${text}" is not a time such as 10s, 250ms or 1h30m`)
  if (ms > MAX_TIMER_MS) throw new CliError('usage', `${text} is too long: at most 24d`)
  return Math.max(1, Math.round(ms))
}
