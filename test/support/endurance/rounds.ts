import { randomInt } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { Random } from '../random.ts'

/** True in `npm run test:long`: many rounds instead of a few. */
export const isLong = process.env.TEST_LONG === '1'

/** A number of rounds: the first in `npm test`, the second in `npm run test:long`. */
export const times = (short: number, long: number) => (isLong ? long : short)

/** Generous: a loaded machine may take ten times as long as an idle one. */
export const MINUTES = 60_000

/**
 * Pseudo-random numbers in [0, 1) from a seed, which is logged: `TEST_SEED` repeats a run. Not for secrets.
 */
export function seeded(t: ExecutionContext): () => number {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31))
  t.log(`seed ${seed}`)
  const random = new Random(seed)
  return () => random.next()
}

/** Figures on one line of the report. */
export const line = (figures: Readonly<Record<string, number | string>>) =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

/** The value below which the given share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/**
 * For tests that need a facility of the machine. Without it they are skipped with a notice on stderr, and fail if `CI`
 * is set unless `optional`. Serial, because they load the whole machine.
 */
export function testWhere(present: boolean, missing: string, { optional = false }: { optional?: boolean } = {}) {
  if (present || (process.env.CI && !optional)) return test.serial
  console.error(`\n!!! ${missing}: NOT TESTED\n`)
  return test.serial.skip
}
