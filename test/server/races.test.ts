import test from 'ava'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { crossedOutcome, difference, serialOutcomes } from '../support/races/outcomes.ts'
import { openRaceServer } from '../support/races/race-server.ts'
import { PAIRS } from '../support/races/requests.ts'
import { SCENES } from '../support/races/world.ts'

/** CPU time, so that the number of rounds does not depend on the load. */
const BUDGET_MS = times(25_000, 20 * MINUTES)

test('two concurrent requests have the outcome of one of their serial orders', async (t) => {
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const server = await openRaceServer(process.env.TEST_DATABASE)
  t.teardown(() => server.close())
  const begun = process.cpuUsage()
  const isOver = () => {
    const { user, system } = process.cpuUsage(begun)
    return (user + system) / 1000 > BUDGET_MS
  }
  // Shuffled by seed, so that each short run tries other cases.
  const cases = PAIRS.flatMap((pair) => SCENES.map((scene) => ({ pair, scene, place: random() })))
  cases.sort((a, b) => a.place - b.place)
  const wrong: string[] = []
  let [tried, rounds] = [0, 0]
  for (const { pair, scene } of cases) {
    if (isOver()) break
    const what = `${pair[0].name} and ${pair[1].name}, ${JSON.stringify(scene)}`
    const allowed = await serialOutcomes(server, scene, pair)
    tried++
    for (let round = 0; round < times(2, 4); round++) {
      const seen = await crossedOutcome(server, scene, pair, { isSwapped: round % 2 === 1, random })
      rounds++
      if (allowed.includes(seen)) continue
      wrong.push(`${what}\n${difference(seen, allowed)}`)
      break
    }
  }
  t.log(line({ pairs: PAIRS.length, scenes: SCENES.length, tried, rounds }))
  for (const one of wrong) t.log(one)
  t.deepEqual([wrong.length, server.failures()], [0, []])
})
