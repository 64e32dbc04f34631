import { CliError } from '../errors/exit.ts'
import { readSpan } from './time-span.ts'

/** Milliseconds of `90s`, `1h30m`, `7d`; a bare number is seconds. @throws CliError */
export function parseDelay(text: string): number {
  const ms = readSpan(text)
  if (ms !== undefined) return Math.max(1, Math.round(ms))
  throw new CliError('usage', `--delay: "${text}" is not a time such as 90s, 10m, 1h30m or 7d`)
}

/**
 * A point in time: `2026-12-24T18:00`, local unless it names its zone, or `18:00`, the next time it is that late here.
 * @throws CliError
 */
export function parseMoment(text: string, now = new Date()): Date {
  const time = /^(\d\d):(\d\d)(?::(\d\d))?$/.exec(text)
  const moment = time === null ? toDate(text) : nextTime(time, now)
  if (moment === undefined)
    throw new CliError(
      'usage',
      `--at: "${text}" is not a time such as 18:00 or 2026-12-24T18:00`,
      'a zone may follow: Z or +01:00',
    )
  if (moment <= now) throw new CliError('usage', `--at: ${text} is over`)
  return moment
}

/** `2026-12-24T18:00`, local unless it names its zone; undefined for anything else. */
export function toDate(text: string): Date | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?(?:Z|[+-]\d\d:\d\d)?$/.exec(text)
  if (parts === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0] = parts.slice(1).map(Number)
  // Date takes 30 February for a day of March, and 24:00 for the next day.
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const moment = new Date(text)
  return day > days || hour > 23 || Number.isNaN(moment.getTime()) ? undefined : moment
}

function nextTime([, hour, minute, second = '0']: RegExpExecArray, now: Date): Date | undefined {
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const moment = new Date(now)
  moment.setHours(Number(hour), Number(minute), Number(second), 0)
  if (moment <= now) moment.setDate(moment.getDate() + 1)
  return moment
}
