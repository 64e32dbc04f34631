import { randomInt } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'

/** True in `npm run test:long`: many rounds instead of a few. */
export const isLong = process.env.TEST_LONG === '1'

/** How often: a few times in `npm test`, many in `npm run test:long`. */
export const times = (short: number, long: number) => (isLong ? long : short)

/** Generous: a loaded machine may take ten times as long as an idle one. */
export const MINUTES = 60_000

/**
 * Numbers from 0 up to 1 that are the same for the same seed, which is printed: `TEST_SEED` repeats a run.
 * They choose what is tried, and are no secrets.
 */
export function seeded(t: ExecutionContext): () => number {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31))
  t.log(`seed ${seed}`)
  let state = seed >>> 0
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One line of figures, as the tests report them. */
export const line = (figures: Readonly<Record<string, number | string>>) =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

/** The value below which that share of the sorted values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/**
 * For plays that need something of the machine: without it they are skipped, which is said aloud, and fail where `CI`
 * is set, unless it may be missing there too. One after the other: what they put a load on is the machine.
 */
export function testWhere(present: boolean, missing: string, { optional = false }: { optional?: boolean } = {}) {
  if (present || (process.env.CI && !optional)) return test.serial
  console.error(`\n!!! ${missing}: NOT TESTED\n`)
  return test.serial.skip
}
