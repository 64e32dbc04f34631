import { CliError } from './exit.ts'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of `250ms`, `10s`, `5m`, `1h`; a bare number is seconds. @throws CliError */
export function parseDuration(text: string | number): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(text).trim())
  const ms = match ? Number(match[1]) * UNITS[(match[2] ?? 's') as keyof typeof UNITS] : Number.NaN
  // setTimeout takes no more than 2^31 - 1.
  if (!(ms > 0 && ms <= 0x7fffffff)) throw new CliError('usage', `"${text}" is not a time such as 10s, 5m or 250ms`)
  return ms
}
