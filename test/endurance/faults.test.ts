import test, { type ExecutionContext } from 'ava'
import type { RefusedByServer } from '../../client/index.ts'
import type { Mode } from '../support/databases/fault-injection.ts'
import { hasMariadb, startMariadb } from '../support/databases/mariadb.ts'
import { isLong, line, MINUTES, seeded, testWhere } from '../support/endurance/rounds.ts'
import { openFaultServer } from '../support/faults/fault-server.ts'
import { checkRound, type Round, type Scenario, settle } from '../support/faults/round.ts'
import { scenarios } from '../support/faults/scenarios.ts'

/** Rounds in `npm test`; all of them in `npm run test:long`. */
const SAMPLE = 120
/** Statements beyond those of the dry run: some run only after others have failed. */
const BEYOND = 2

const MODES: readonly Mode[] = ['before', 'after', 'outage']

/** Holds [D-1], [D-2], [D-3] and [D-11] of docs/ARCHITECTURE.md, whichever statement fails. */
async function playAll(t: ExecutionContext, mariadb?: string) {
  t.timeout(isLong ? 60 * MINUTES : 5 * MINUTES)
  const random = seeded(t)
  const server = await openFaultServer(t, {}, mariadb)
  const { cast, all: everyScenario } = await scenarios(server)
  const { db, faults } = server
  let number = 0
  const play = async (scenario: Scenario, fault?: { at: number; mode: Mode; code: string }) => {
    const name = `${++number} ${scenario.name}`
    const round: Round = { name, stored: new Map() }
    const about =
      fault === undefined ? `${name}, no fault` : `${name}, statement ${fault.at} ${fault.mode} ${fault.code}`
    try {
      await scenario.prepare?.(round)
      faults.arm(fault)
      const answer = await settle(scenario.act(round))
      const statements = faults.heal()
      await scenario.check(round, answer)
      await checkRound(cast, round, db)
      return statements
    } catch (error) {
      throw new Error(`${about}: ${(error as RefusedByServer).message}`, { cause: error })
    }
  }
  const all: { scenario: Scenario; at: number; mode: Mode; code: string }[] = []
  const counts: Record<string, number> = {}
  // For debugging: all faults of one scenario.
  const only = process.env.TEST_SCENARIO
  for (const scenario of everyScenario.filter((one) => only === undefined || one.name === only)) {
    counts[scenario.name] = await play(scenario)
    for (let at = 0; at < (counts[scenario.name] as number) + BEYOND; at++)
      for (const mode of MODES) for (const code of faults.codes) all.push({ scenario, at, mode, code })
  }
  const chosen =
    isLong || only !== undefined ? all : Array.from({ length: SAMPLE }, () => all[Math.floor(random() * all.length)])
  const faultsFound: string[] = []
  for (const one of chosen) {
    if (one === undefined) continue
    try {
      await play(one.scenario, one)
    } catch (error) {
      faultsFound.push((error as Error).message)
      // A failed round does not affect the next ones.
      faults.heal()
      if (faultsFound.length >= 20) break
    }
  }
  t.log(line({ rounds: chosen.length, 'failed statements': faults.struck, 'of possible': all.length, ...counts }))
  t.true(Object.values(counts).every((count) => count > 0))
  t.true(faults.struck > chosen.length / 4, 'most faults have occurred')
  t.deepEqual(faultsFound, [])
  t.deepEqual(
    server.failures().map(({ plugin, event, error }) => `${plugin} ${event}: ${String(error)}`),
    [],
  )
}

const TITLE = 'whichever statement fails, every stored message is delivered once, in order, and the server recovers'

test.serial(TITLE, (t) => playAll(t))

// In short runs scripts/test-mariadb.mjs covers this.
if (isLong && process.env.TEST_DATABASE === undefined)
  testWhere(hasMariadb(), 'MariaDB is not installed: statements that fail on it')(`${TITLE}, on MariaDB`, async (t) => {
    const server = await startMariadb()
    t.teardown(() => server.close())
    await playAll(t, server.server)
  })
