import type { ExecutionContext } from 'ava'
import { type GaleraNode, hasGalera, startGalera } from '../support/databases/galera.ts'
import { KEPT } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { startTraffic } from '../support/endurance/traffic.ts'

const test = testWhere(
  hasGalera(),
  'Galera is not installed (Debian: mariadb-server, galera-4): a cluster of databases',
)

/** Messages in flight are sent again one by one, so the order of one sender's is not defined. */
const { 'out of order': _, ...STORED } = KEPT

/** Acknowledgements that cannot all be under way when a database server ends. */
const FLIGHT = 300

/** Eight senders and a server on a Galera cluster, of which it uses one server at a time. */
async function openTraffic(t: ExecutionContext) {
  const { nodes, url, close } = await startGalera()
  t.teardown(close)
  const traffic = await startTraffic(t, url)
  const inUse = async (): Promise<GaleraNode> => {
    for (const node of nodes) {
      const [[row]] = await node.run(
        "select count(*) as used from information_schema.processlist where db = 'chat' and time < 2",
      )
      if (Number(row.used) > 0) return node
    }
    throw new Error('no database server is in use')
  }
  return { ...traffic, inUse }
}

test('servers of a Galera cluster are killed and hang under senders: nothing is lost or stored twice, and all hear one order', async (t) => {
  const rounds = times(1, 15)
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const { inUse, goesOn, pushed, settle } = await openTraffic(t)
  const returns = { kill: [] as number[], stop: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    await goesOn(1 + Math.floor(random() * 300))
    const killed = await inUse()
    await killed.stop('SIGKILL')
    returns.kill.push(await goesOn(FLIGHT))
    await killed.start()
    // Of two servers neither may go on without the other.
    await killed.whole()
    await goesOn(1 + Math.floor(random() * 300))
    const hanging = await inUse()
    hanging.signal('SIGSTOP')
    returns.stop.push(await goesOn(FLIGHT))
    hanging.signal('SIGCONT')
    await hanging.whole()
  }
  const figures = await settle()
  const longest = (values: readonly number[]) => Math.round(Math.max(...values))
  t.log(
    line({ rounds, ...figures, 'without acknowledgement after SIGSTOP, ms': longest(returns.stop) }),
    line({ 'after SIGKILL, ms': longest(returns.kill) }),
  )
  t.like(figures, { ...STORED, acknowledged: figures.attempted, stored: figures.attempted })
  const ids = await pushed(figures.stored)
  t.deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
    'pushed once, in the order of numbers',
  )
})
