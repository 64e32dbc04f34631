import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Ledger } from '../support/endurance/ledger.ts'
import { isLong, line, MINUTES, testWhere, times } from '../support/endurance/rounds.ts'
import { Sender } from '../support/endurance/senders.ts'
import { hasProc, openFiles, residentMemory, until } from '../support/processes/process-figures.ts'
import { startServerProcess } from '../support/processes/server-process.ts'
import { tempFolder } from '../support/temp-folder.ts'

const test = testWhere(hasProc(), 'there is no /proc here: memory')

const MONITOR = new URL('../support/endurance/loop-delay.js', import.meta.url).href

test('memory and open files stay constant while many users connect, log in, send and leave', async (t) => {
  const cycles = times(1500, 100_000)
  t.timeout(times(5, 120) * MINUTES)
  // Users connect here faster than the default rates allow.
  const server = await startServerProcess(t, { limits: { connectRate: 1e6, connectBurst: 1e6, logins: 1e6 } })
  await (await server.user('bob')).close()
  const names = Array.from({ length: 8 }, (_, n) => `user${n}`)
  for (const name of names) await (await server.user(name)).close()
  const files = openFiles(server.pid)
  const memory: number[] = []
  let done = 0
  const one = async (name: string) => {
    while (done < cycles) {
      const mine = ++done
      const client = await server.user(name)
      await client.send('bob', 'hello')
      await client.close()
      if (mine % (cycles / 10) === 0) memory.push(residentMemory(server.pid))
    }
  }
  await Promise.all(names.map(one))
  await until('their connections are closed', () => openFiles(server.pid) <= files)
  // The first part warms up caches and the garbage collector.
  const [warm = 0] = memory.slice(4)
  const [last = 0] = memory.slice(-1)
  const growth = last - warm
  t.log(
    line({
      cycles,
      'memory after each tenth, MiB': memory.map((value) => value.toFixed(0)).join(' '),
      'growth in the second half, MiB': growth.toFixed(1),
    }),
  )
  t.true(growth < (isLong ? cycles / 2 / 10_000 + 8 : 64))
})

test('the delay of the event loop is measured while eight users send at full speed', async (t) => {
  t.timeout(5 * MINUTES)
  const file = join(await tempFolder(t), 'delay.json')
  const server = await startServerProcess(t, { env: { NODE_OPTIONS: `--import ${MONITOR}`, LOOP_DELAY: file } })
  await server.user('bob')
  const ledger = new Ledger()
  const clients = await Promise.all(Array.from({ length: 8 }, (_, n) => server.user(`user${n}`)))
  const measure = async () => {
    rmSync(file, { force: true })
    process.kill(server.pid, 'SIGUSR2')
    await until('the figures are written', () => existsSync(file) && readFileSync(file).length > 0)
    return JSON.parse(readFileSync(file, 'utf8'))
  }
  await measure()
  const from = performance.now()
  const total = times(5000, 200_000)
  const enough = () => ledger.attempted >= total
  await Promise.all(clients.map((client, n) => new Sender(`user${n}`, ledger).send(client, { window: 32, enough })))
  const took = (performance.now() - from) / 1000
  const { p50, p99, max } = await measure()
  t.log(
    line({
      messages: ledger.acknowledged,
      'a second': Math.round(total / took),
      'p50, ms': p50,
      'p99, ms': p99,
      'max, ms': max,
    }),
  )
  t.true(ledger.acknowledged >= total)
  if (isLong) t.true(p99 < 50)
})
