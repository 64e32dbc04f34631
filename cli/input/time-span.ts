const SPAN =
  /^(?:(?<d>\d+(?:\.\d+)?)d)?(?:(?<h>\d+(?:\.\d+)?)h)?(?:(?<m>\d+(?:\.\d+)?)m(?!s))?(?:(?<s>\d+(?:\.\d+)?)s)?(?:(?<ms>\d+(?:\.\d+)?)ms)?$/
const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/** Milliseconds of `250ms`, `10s`, `1h30m`, `7d`, the largest unit first; a bare number is seconds. Undefined if it is none. */
export function readSpan(text: string): number | undefined {
  const trimmed = text.trim()
  const found = SPAN.exec(/^\d+(\.\d+)?$/.test(trimmed) ? `${trimmed}s` : trimmed)?.groups
  if (trimmed === '' || found === undefined) return undefined
  const ms = Object.entries(UNITS).reduce((sum, [unit, size]) => sum + Number(found[unit] ?? 0) * size, 0)
  return ms > 0 ? ms : undefined
}
