import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { MINUTES, times } from '../support/endurance/rounds.ts'

// All servers and clients of a run are in one process, on a machine that replaces clocks, timers and random numbers: that
// process is not this one.

/** Runs `npm run simulate`. Returns what it prints, and whether it found nothing. */
async function simulate(...given: string[]): Promise<{ readonly output: string; readonly passed: boolean }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/simulate.mjs', ...given])
    return { output: stdout, passed: true }
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return { output: stdout + stderr, passed: false }
  }
}

const traceOf = (output: string, seed: number) => new RegExp(`^seed ${seed}: trace (\\w+)`, 'm').exec(output)?.[1]

for (const [nodes, seeds] of [
  [1, times(200, 1000)],
  [3, times(200, 1000)],
] as const)
  test.serial(`${seeds} simulated runs of ${nodes} server(s) keep every promise`, async (t) => {
    t.timeout(times(10, 60) * MINUTES)
    const { output, passed } = await simulate('--nodes', String(nodes), '--seeds', String(seeds))
    t.true(passed, output)
  })

test.serial('a seed has the same trace each time, alone and among others', async (t) => {
  t.timeout(5 * MINUTES)
  const { output, passed } = await simulate('--nodes', '3', '--seeds', '3', '--twice', '--verbose')
  t.true(passed, output)
  const alone = await simulate('--nodes', '3', '--seed', '3', '--verbose')
  t.regex(alone.output, /^seed 3: trace \w{16}, /m)
  t.is(traceOf(alone.output, 3), traceOf(output, 3))
  t.not(traceOf(output, 2), traceOf(output, 3))
})

/** Where a rare flaw shows soon, while the code is as it is; it shows in others too. */
const FIRST_SEED: Readonly<Record<string, number>> = { 'checks-once': 100 }

const FLAWS = [
  ['acknowledges-early', 1, /before its commit|messages lost|was acknowledged as|which was read/],
  ['stores-twice', 1, /messages duplicated/],
  ['forgets-reads', 1, /which was read/],
  ['pushes-to-all', 1, /which is for others/],
  ['forgets-pushes', 1, /was never pushed/],
  ['shows-recalled', 1, /which was recalled/],
  ['leaves-hooks', 1, /never posted/],
  ['hides-users', 3, /is told that/],
  ['checks-once', 3, /from a blocked user|of no member|which is for others|was never pushed/],
  ['trusts-wake-ups', 3, /was never pushed|never posted|recount|which was read|acknowledged/],
] as const

for (const [flaw, nodes, found] of FLAWS)
  test.serial(`a run finds the built-in flaw ${flaw}`, async (t) => {
    t.timeout(5 * MINUTES)
    const seeds = ['--from', String(FIRST_SEED[flaw] ?? 0), '--seeds', '400']
    const { output, passed } = await simulate('--flaw', flaw, '--nodes', String(nodes), ...seeds)
    t.false(passed)
    t.regex(output, found)
  })
