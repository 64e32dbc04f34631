import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { generateKeyPair } from '../../core/index.ts'
import { imageOf } from '../../db/sqlite.ts'
import { testSecret } from '../../testing/fixtures.ts'
import { testServer } from '../../testing/index.ts'
import { FLAWS } from './flaws.ts'
import { REAL } from './machine/real.ts'
import { type Outcome, play, type Stage } from './run.ts'

const NAMES = ['ann', 'bob', 'cleo', 'dan', 'eve', 'fay']

/** In memory where the machine has that: each run makes a database. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    nodes: { type: 'string', default: '1' },
    flaw: { type: 'string' },
    trace: { type: 'string' },
    calm: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})

/** A database with accounts for all users, and what else all runs share. */
async function prepare(folder: string): Promise<Stage> {
  const kit = await testServer()
  for (const name of NAMES) await kit.account(name)
  const image = await imageOf(kit.db)
  await kit.dispose()
  const { keys } = await testSecret()
  return { folder, image, names: NAMES, keys, key: generateKeyPair() }
}

/** Plays a seed; with `--twice` once more, with the same trace. */
async function playSeed(stage: Stage, seed: number): Promise<boolean> {
  const began = REAL.now()
  const options = { seed, nodes: Number(given.nodes), isCalm: given.calm }
  const outcome = await play(stage, { ...options, traceTo: given.trace })
  if (outcome.error !== undefined || given.verbose) report(outcome, REAL.now() - began)
  if (!given.twice) return outcome.error === undefined
  const again = await play(stage, options)
  if (again.trace !== outcome.trace) console.log(`seed ${seed}: another trace at the second time, ${again.trace}`)
  return outcome.error === undefined && again.trace === outcome.trace
}

function report(outcome: Outcome, ms: number) {
  const { seed, trace, events, messages, faults, simulatedMs, statements, said, failures, error } = outcome
  const time = `${(simulatedMs / 1000).toFixed(1)} s simulated in ${ms.toFixed(0)} ms`
  console.log(`seed ${seed}: trace ${trace}, ${events} events, ${messages} messages, ${faults} faults, ${time}`)
  console.log(`  ${statements} statements, ${said.messages} messages between nodes with ${said.bytes} bytes`)
  if (error === undefined) return
  console.log(error)
  for (const { plugin, event, error: cause } of failures) console.log(`${plugin}, ${event}:`, cause)
}

const first = Number(given.seed ?? given.from)
const count = given.seed === undefined ? Number(given.seeds) : 1
if (given.flaw !== undefined) {
  const build = FLAWS[given.flaw]
  if (build === undefined) throw new Error(`there is no flaw ${given.flaw}, but ${Object.keys(FLAWS).join(', ')}`)
  build()
}
const folder = mkdtempSync(join(PARENT, 'chatctl-simulation-'))
const failed: number[] = []
try {
  const stage = await prepare(folder)
  for (let seed = first; seed < first + count; seed++) {
    if (!(await playSeed(stage, seed))) failed.push(seed)
    // One is enough to show that a flaw is found.
    if (given.flaw !== undefined && failed.length > 0) break
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failed.length > 0) console.log(`failed: ${failed.join(' ')}`)
else console.log(`${count} seeds passed`)
process.exitCode = failed.length === 0 ? 0 : 1
