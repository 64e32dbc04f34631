import { CONTROLS, playControl } from '../support/cluster/sites/controls.ts'
import { FAULTS, type Fault } from '../support/cluster/sites/faults.ts'
import { openPlay, type RoundFigures, report } from '../support/cluster/sites/play.ts'
import { hasSites } from '../support/cluster/sites/sites.ts'
import { isLong, line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { Random } from '../support/random.ts'

const test = testWhere(
  hasSites(),
  'three sites need root, ip, nft, Galera, nats-server and libfaketime (Debian: iproute2, nftables, mariadb-server, ' +
    'galera-4, nats-server, libfaketime)',
)

/** Limits of an idle machine, in milliseconds; a busy one may take ten times as long. */
const LIMITS = { delivered: 5000, gap: 3000, offline: 10_000 }
const BUSY = 10

test('three sites, with faults of everything that they consist of: each message is delivered once, in one order', async (t) => {
  const rounds = times(2, 200)
  t.timeout(times(5, 90) * MINUTES)
  const next = seeded(t)
  const random = new Random(Math.floor(next() * 2 ** 31))
  const play = await openPlay(t, random)
  // For debugging: rounds of one fault.
  const only = process.env.TEST_SCENARIO
  /** Each fault comes before one comes again. */
  const deck: Fault[] = []
  const played: RoundFigures[] = []
  for (let number = 1; number <= rounds; number++) {
    if (deck.length === 0) deck.push(...FAULTS.filter(({ name }) => only === undefined || name === only))
    const [fault = FAULTS[0] as Fault] = deck.splice(random.below(deck.length), 1)
    const name = `round ${number}: ${fault.name}`
    const from = performance.now()
    const figures = await play.round(name, fault)
    played.push(figures)
    const { delivered, gap, presence } = figures
    if (isLong || process.env.TEST_VERBOSE)
      console.error(
        name,
        line({
          took: Math.round(performance.now() - from),
          delivered: Math.round(delivered),
          gap: Math.round(gap),
          presence: Math.round(presence),
        }),
        ...play.crowd.breaches.all.filter((breach) => breach.endsWith(`(${name})`)),
      )
  }
  await play.judge.checkScheduled()
  const longest = {
    delivered: Math.max(...played.map(({ delivered }) => delivered)),
    gap: Math.max(0, ...played.filter(({ fault }) => fault.isOfNodes).map(({ gap }) => gap)),
    offline: Math.max(0, ...play.offlineMs),
  }
  t.log(line(play.judge.totals))
  for (const figures of report(played)) t.log(figures)
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    t.log(line({ [`longest ${name}, ms`]: Math.round(longest[name]) }))
    t.true(longest[name] <= LIMITS[name] * BUSY, name)
  }
  t.deepEqual(play.crowd.breaches.all, [])

  for (const control of CONTROLS) {
    const found = await playControl(play, control)
    t.log(`control, ${control.name}: ${found.length} found, the first ${found[0]}`)
    t.true(
      found.some((breach) => /was never pushed/.test(breach)),
      control.name,
    )
  }
})
