import { CONTROLS, playControl } from '../support/cluster/sites/controls.ts'
import { FAULTS, type Fault, mayMeet } from '../support/cluster/sites/faults.ts'
import { canMakeNamespaces } from '../support/cluster/sites/namespaces.ts'
import { longestOf, openPlay, type Times, timesLine } from '../support/cluster/sites/play.ts'
import { hasPrograms } from '../support/cluster/sites/sites.ts'
import { isLong, line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { Random } from '../support/random.ts'

const test = hasPrograms()
  ? // A container may not allow it, on any machine.
    testWhere(canMakeNamespaces(), 'network namespaces and nft need root and the kernel: three sites', {
      optional: true,
    })
  : testWhere(
      false,
      'three sites need ip, nft, Galera, nats-server and libfaketime (Debian: iproute2, nftables, mariadb-server, ' +
        'galera-4, nats-server, libfaketime)',
    )

/** Limits of an idle machine, in milliseconds; a busy one may take ten times as long. */
const LIMITS = { delivered: 5000, gap: 3000, offline: 10_000 }
const BUSY = 10
/** Share of the rounds in which another fault strikes together with the first. */
const TOGETHER = 0.25

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
  const played = new Map<string, Times[]>()
  const gaps = [0]
  for (let number = 1; number <= rounds; number++) {
    if (deck.length === 0) deck.push(...FAULTS.filter(({ name }) => only === undefined || name.includes(only)))
    const [fault] = deck.splice(random.below(deck.length), 1) as [Fault]
    const others = FAULTS.filter((other) => mayMeet(fault, other))
    const faults = only === undefined && random.chance(TOGETHER) ? [fault, random.pick(others)] : [fault]
    const name = `round ${number}: ${faults.map((one) => one.name).join(', and ')}`
    const times = await play.round(name, faults)
    const kind = faults.length === 1 ? fault.name : 'two faults at once'
    played.set(kind, [...(played.get(kind) ?? []), times])
    if (faults.length === 1 && fault.isOfNodes === true) gaps.push(times.gap)
    const broken = play.crowd.breaches.all.filter((breach) => breach.endsWith(`(${name})`))
    if (isLong) console.error(`${name}: ${timesLine(times)}`, ...broken)
  }
  await play.judge.checkScheduled()

  const ends = play.sites.all.reduce((sum, { node }) => sum + node.ends, 0)
  t.log(line({ rounds, ...play.judge.totals, 'nodes that ended by themselves': ends }))
  for (const [kind, times] of played)
    t.log(`${kind}, ${times.length} rounds, longest ms: ${timesLine(longestOf(times))}`)
  const longest = {
    delivered: longestOf([...played.values()].flat()).delivered,
    gap: Math.max(...gaps),
    offline: Math.max(0, ...play.offlineMs),
  }
  t.log(`limits that hold on an idle machine, longest ms: ${timesLine(longest)}`)
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) t.true(longest[name] <= LIMITS[name] * BUSY, name)
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
