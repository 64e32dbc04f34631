import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { hasMariadb, newDatabase, startMariadb } from '../support/databases/mariadb.ts'
import { KEPT } from '../support/endurance/ledger.ts'
import { isLong, line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { startTraffic } from '../support/endurance/traffic.ts'

const test = testWhere(hasMariadb(), 'MariaDB is not installed: a database that dies or hangs')

/** Traffic on a private MariaDB. */
async function openTraffic(t: ExecutionContext) {
  const mariadb = await startMariadb()
  t.teardown(() => mariadb.close())
  const { url } = await newDatabase(mariadb.server)
  return { mariadb, ...(await startTraffic(t, url)) }
}

// Messages in flight are retried one by one, so their order is not defined.
const { 'out of order': _, ...STORED } = KEPT

test('while MariaDB is killed many times under a running server, every acknowledged message is stored once', async (t) => {
  const rounds = times(3, 30)
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const { mariadb, goesOn, settle } = await openTraffic(t)
  const returns: number[] = []
  for (let round = 0; round < rounds; round++) {
    await goesOn(1 + Math.floor(random() * 500))
    await mariadb.stop('SIGKILL')
    await mariadb.start()
    returns.push(await goesOn(1))
  }
  const figures = await settle()
  t.log(line({ rounds, ...figures, 'longest until it went on, ms': Math.round(Math.max(...returns)) }))
  t.like(figures, { ...STORED, acknowledged: figures.attempted, stored: figures.attempted })
})

for (const seconds of isLong ? [1, 10, 60] : [1]) {
  test(`while MariaDB hangs for ${seconds} s, requests are refused or wait, and no acknowledged message is lost`, async (t) => {
    t.timeout(10 * MINUTES)
    const { mariadb, goesOn, settle } = await openTraffic(t)
    await goesOn(100)
    await mariadb.freeze()
    await sleep(seconds * 1000)
    mariadb.thaw()
    const back = await goesOn(1)
    await goesOn(100)
    const figures = await settle()
    t.log(line({ ...figures, 'until it went on, ms': Math.round(back) }))
    t.like(figures, { ...STORED, acknowledged: figures.attempted, stored: figures.attempted })
  })
}
