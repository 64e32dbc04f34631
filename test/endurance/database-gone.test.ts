import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Client, RefusedByServer } from '../../client/index.ts'
import { hasMariadb, newDatabase, startMariadb } from '../support/databases/mariadb.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { isLong, line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { storedFor } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const test = testWhere(hasMariadb(), 'MariaDB is not installed: a database that dies or hangs')

const NAMES = ['alice', 'carol', 'dave', 'eve', 'frank', 'grace', 'heidi', 'ivan']
const WINDOW = 16
/** Pause between a refusal and the next attempt. */
const PAUSE_MS = 50

/** Eight users who send to a server on MariaDB without pause, and retry after refusals. */
async function openTraffic(t: ExecutionContext) {
  const mariadb = await startMariadb()
  t.teardown(() => mariadb.close())
  const { url } = await newDatabase(mariadb.server)
  const server = await startServerProcess(t, { env: { CHATCTL_DB: url } })
  const bob = await server.user('bob')
  const ledger = new Ledger()
  const refusals: number[] = []
  let over = false
  const sendOn = async (name: string, client: Client) => {
    let last = 0
    const deliver = async (text: string) => {
      ledger.attempt(text)
      for (;;) {
        const asked = performance.now()
        try {
          const { id } = await client.send('bob', text, { clientId: text })
          return ledger.acknowledge(text, id)
        } catch (error) {
          if ((error as RefusedByServer).failure !== 'unavailable') throw error
          refusals.push(performance.now() - asked)
          await sleep(PAUSE_MS)
        }
      }
    }
    const one = async () => {
      while (!over) await deliver(`${name} ${++last}`)
    }
    await Promise.all(Array.from({ length: WINDOW }, one))
  }
  // Before the first trouble: a registration in the middle of it may be refused.
  const senders = await Promise.all(NAMES.map((name) => server.user(name)))
  const sending = Promise.all(NAMES.map((name, index) => sendOn(name, senders[index] as Client)))
  return {
    mariadb,
    server,
    ledger,
    /** Waits for some more acknowledgements; returns the duration in ms. */
    async goesOn(more: number) {
      const from = performance.now()
      await Promise.race([ledger.acknowledgements(ledger.acknowledged + more), sending])
      return performance.now() - from
    },
    /** Ends the sending once everything is acknowledged, and compares. */
    async settle() {
      over = true
      await sending
      ledger.find(await storedFor(bob))
      const figures = ledger.figures()
      return {
        ...figures,
        refusals: refusals.length,
        'longest until refused, ms': Math.round(Math.max(0, ...refusals)),
      }
    },
  }
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
    mariadb.signal('SIGSTOP')
    await sleep(seconds * 1000)
    mariadb.signal('SIGCONT')
    const back = await goesOn(1)
    await goesOn(100)
    const figures = await settle()
    t.log(line({ ...figures, 'until it went on, ms': Math.round(back) }))
    t.like(figures, { ...STORED, acknowledged: figures.attempted, stored: figures.attempted })
  })
}
