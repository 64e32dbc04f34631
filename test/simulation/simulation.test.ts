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

test.serial('one server keeps its promises in every simulated run', async (t) => {
  t.timeout(10 * MINUTES)
  const { output, passed } = await simulate('--seeds', String(times(80, 1000)))
  t.true(passed, output)
})

test.serial('a seed has the same trace each time, alone and among others', async (t) => {
  t.timeout(5 * MINUTES)
  const { output, passed } = await simulate('--seeds', '3', '--twice', '--verbose')
  t.true(passed, output)
  const alone = await simulate('--seed', '3', '--verbose')
  t.regex(alone.output, /^seed 3: trace \w{16}, /m)
  t.is(traceOf(alone.output, 3), traceOf(output, 3))
  t.not(traceOf(output, 2), traceOf(output, 3))
})

const FLAWS = [
  ['acknowledges-early', /before its commit|messages lost|was acknowledged as/],
  ['stores-twice', /messages duplicated/],
  ['forgets-reads', /which was read/],
  ['pushes-to-all', /which is for others/],
  ['forgets-pushes', /was never pushed/],
] as const

for (const [flaw, found] of FLAWS)
  test.serial(`a run finds the built-in flaw ${flaw}`, async (t) => {
    t.timeout(5 * MINUTES)
    const { output, passed } = await simulate('--flaw', flaw, '--seeds', '20')
    t.false(passed)
    t.regex(output, found)
  })
