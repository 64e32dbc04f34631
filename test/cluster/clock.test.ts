import test, { type ExecutionContext } from 'ava'
import pino from 'pino'
import { DatabaseClock } from '../../cli/server/cluster/database-clock.ts'
import { connect, QueryScheduled, ScheduleMessage } from '../../client/index.ts'
import { databaseTime, openDatabase } from '../../db/index.ts'
import { startNats } from '../support/cluster/nats.ts'
import { canRunCluster, copyKeys, shareableMariadb } from '../support/cluster/processes.ts'
import { clusterClock } from '../support/cluster/time.ts'
import { openShell } from '../support/processes/shell.ts'
import { hears } from '../support/requests.ts'

const HOUR = 3_600_000
const MINUTE = 60_000

/** The clock of a node whose machine is ahead of the database by `ahead`, and what it logs. */
async function nodeClock(t: ExecutionContext, ahead: number) {
  const machine = clusterClock()
  const database = { behind: ahead, fails: false }
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line).msg) })
  const ask = async () => {
    if (database.fails) throw new Error('the database is lost')
    return machine.time() - database.behind
  }
  const clock = await DatabaseClock.start({ ask, log, machine })
  t.teardown(() => clock.end())
  return { machine, database, logged, clock, ahead: () => clock.time() - (machine.time() - database.behind) }
}

test('a node has the time of the database, whatever its machine says, and follows it', async (t) => {
  const { machine, database, logged, clock, ahead } = await nodeClock(t, HOUR)
  t.is(ahead(), 0)
  t.regex(
    logged.join(),
    /^the clock of this machine is 3600 s ahead of that of the database: this node uses the time of the/,
  )
  await machine.advance(MINUTE / 2)
  t.is(ahead(), 0)
  // The clock of the database is set.
  database.behind = -HOUR
  t.is(ahead(), -2 * HOUR)
  await machine.advance(MINUTE)
  t.is(ahead(), 0)
  t.is(clock.now(), machine.now())
})

test('a node goes on with the time that it knows while the database is lost, and reports a difference once', async (t) => {
  const { machine, database, logged, ahead } = await nodeClock(t, 0)
  t.deepEqual(logged, [])
  database.fails = true
  await machine.advance(3 * MINUTE)
  t.is(ahead(), 0)
  t.is(logged.length, 3)
  database.fails = false
  database.behind = 10_000
  await machine.advance(3 * MINUTE)
  t.is(ahead(), 0)
  t.is(logged.length, 4)
  t.regex(logged.at(-1) ?? '', /10 s ahead/)
})

test('a machine whose clock is an hour ahead sends no scheduled message early', async (t) => {
  if (!canRunCluster(t)) return
  const [{ url }, nats, shell] = [await shareableMariadb(t), await startNats(t), await openShell(t)]
  const env = { CHATCTL_DB: url, CHATCTL_CLUSTER: nats.url, CHATCTL_FILES: './files' }
  const ahead = 'const { now } = Date; Date.now = () => now() + 3_600_000'
  const skewed = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(ahead)}` }
  const one = await shell.serve(['--data', './one'], { env: { ...env, ...skewed } })
  await copyKeys(shell, './one', './two')
  const two = await shell.serve(['--data', './two'], { env })

  const enter = async (name: string, server: string) => {
    const client = await connect({ server, leastIterations: 4096 })
    t.teardown(() => client.close())
    await client.register(name, 'password')
    await client.login(name, { password: 'password' })
    return client
  }
  const [alice, bob] = [await enter('alice', one.server), await enter('bob', two.server)]
  const db = await openDatabase(url)
  t.teardown(() => db.destroy())
  const at = (await databaseTime(db)) + HOUR / 2
  await alice.request(ScheduleMessage, { to: 'bob', text: 'in half an hour', at })
  await alice.request(ScheduleMessage, { to: 'bob', text: 'now', delay: 1 })
  const [now] = await hears(bob, 1)
  t.is(now?.text, 'now')
  t.true(Math.abs(Number(now?.sentAt) - (await databaseTime(db))) < 10 * MINUTE)
  const { messages } = await alice.request(QueryScheduled, { all: true })
  t.deepEqual(
    messages.map(({ text, state }) => ({ text, state })),
    [
      { text: 'in half an hour', state: 'waiting' },
      { text: '', state: 'sent' },
    ],
  )
  t.regex(
    one.output.all().stdout + one.output.all().stderr,
    /the clock of this machine is 3600 s ahead of that of the database/,
  )

  const doctor = await shell.run(['doctor', '--data', './one', '-o', 'json'], { env: { ...env, ...skewed } })
  const findings: { check: string; state: string; detail: string }[] = JSON.parse(doctor.stdout)
  t.like(
    findings.find(({ check }) => check === 'clock'),
    {
      state: 'warning',
      detail: 'the clock of this machine is 3600 s ahead of that of the database: synchronise both (NTP)',
    },
  )
})
