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

test('three sites, with faults of everything that they consist of: each message is delivered once, in one order', async (t) => {
  const rounds = times(3, 200)
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
  t.log(...report(played))
  t.log(line(play.judge.totals))
  t.deepEqual(play.crowd.breaches.all, [])
})
