import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Client } from '../../client/index.ts'
import { line, MINUTES, percentile, testWhere, times } from '../support/endurance/rounds.ts'
import { storedFor } from '../support/endurance/senders.ts'
import { hasProc, openFiles, residentMemory, until } from '../support/processes/process-figures.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const test = testWhere(hasProc(), 'there is no /proc here: slow readers')

/** With a large window, so that reading is the bottleneck, not acknowledgements. */
const LIMITS = { unacknowledged: 1e6, outboundStall: 3000, outboundSoft: 256 * 1024, outboundHard: 1024 * 1024 }
const TEXT = 'x'.repeat(8000)
/** Messages under way at a time: in one turn they may be more than the soft limit, and the kernel takes them all the same. */
const WINDOW = 32

/** Durations until messages between two users are acknowledged, ms. */
async function delaysOf(client: Client, other: string, count: number): Promise<number[]> {
  const delays: number[] = []
  for (let n = 0; n < count; n++) {
    const from = performance.now()
    await client.send(other, String(n))
    delays.push(performance.now() - from)
  }
  return delays
}

/** Reads a chunk every 200 ms. */
function trickle(socket: Socket) {
  socket.on('data', () => {
    socket.pause()
    setTimeout(() => socket.resume(), 200)
  })
}

test('a stopped and a slow reader cost little memory and delay nobody, and no message for them is lost', async (t) => {
  const count = times(900, 6000)
  t.timeout(times(3, 20) * MINUTES)
  const server = await startServerProcess(t, { limits: LIMITS })
  const [alice, carol] = [await server.user('alice'), await server.user('carol')]
  await server.user('dave')
  const calm = await delaysOf(carol, 'dave', 200)
  const files = openFiles(server.pid)
  const reader = async (name: string) => {
    const socket = connect(server.port, server.host)
    await once(socket, 'connect')
    const client = await server.user(name, { server: socket })
    await client.receive()
    return { name, socket }
  }
  const [bob, eve] = [await reader('bob'), await reader('eve')]
  const before = residentMemory(server.pid)
  let most = before
  bob.socket.pause()
  trickle(eve.socket)
  let sent = 0
  const one = async () => {
    while (sent < count) {
      const number = sent++
      for (const { name } of [bob, eve]) await alice.send(name, `${number} ${TEXT}`)
      if (number % 100 === 0) most = Math.max(most, residentMemory(server.pid))
    }
  }
  const [, busy] = await Promise.all([Promise.all(Array.from({ length: WINDOW }, one)), delaysOf(carol, 'dave', 200)])
  // The server has closed Bob's connection, which his side does not notice without reading.
  const from = performance.now()
  await until('the reader that stopped is cut', () => openFiles(server.pid) <= files + 1)
  const cutAfter = performance.now() - from
  for (const { socket } of [bob, eve]) socket.destroy()
  t.log(
    line({
      messages: count,
      'memory more, MiB': Math.round(most - before),
      'cut after the last message, ms': Math.round(cutAfter),
      'others p99 before and meanwhile, ms': `${percentile(calm, 0.99).toFixed(1)} ${percentile(busy, 0.99).toFixed(1)}`,
    }),
  )
  t.true(most - before < 100)
  for (const { name } of [bob, eve]) {
    const found = await storedFor(await server.user(name))
    t.is(found.length, count, name)
    t.is(new Set(found.map(({ text }) => text)).size, count, name)
    const again = await server.user(name)
    const heard: number[] = []
    for await (const { id } of again.messages()) if (heard.push(id) === count) break
    t.deepEqual(
      heard,
      found.map(({ id }) => id),
      name,
    )
  }
})
