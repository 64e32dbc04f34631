import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../client/index.ts'
import { frame, HandshakeState, MAGIC } from '../../core/noise/index.ts'
import { encode, Ping } from '../../core/wire/index.ts'
import { isLong, line, MINUTES, percentile, testWhere, times } from '../support/endurance/rounds.ts'
import { hasProc, openFiles, residentMemory, until } from '../support/processes/process-figures.ts'
import { type ServerProcess, startServerProcess } from '../support/processes/server-process.ts'
import { connectRaw, ended, enter } from '../support/wire/raw-client.ts'

const test = testWhere(hasProc(), 'there is no /proc here: floods of strangers')

const DRIP_MS = 50
/** Pause before a disconnected peer returns. */
const BACK_AGAIN_MS = 1000

/** Addresses of this machine that are not 127.0.0.1. */
const addressOf = (n: number) => `127.0.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`

/** Sends single bytes until disconnected; returns the duration in ms. */
async function drip(server: ServerProcess, localAddress: string, inHandshake: boolean): Promise<number> {
  const from = performance.now()
  const where = { host: server.host, port: server.port, localAddress }
  const peer = inHandshake ? undefined : await enter(where)
  const socket = peer?.socket ?? (await connectRaw(where))
  const hello = new HandshakeState({ initiator: true, prologue: MAGIC }).writeMessage()
  // Evicted during the handshake: there are no keys to encrypt with.
  const bytes = peer?.isIn ? peer.seal(encode(Ping, 1, {})) : Buffer.concat([MAGIC, frame(hello)])
  let at = 0
  // The last byte is withheld: it would complete a valid request.
  const dripping = setInterval(() => at < bytes.length - 1 && socket.write(bytes.subarray(at, ++at)), DRIP_MS)
  await ended(socket)
  clearInterval(dripping)
  return performance.now() - from
}

/** Duration of a login in ms, with retries as a client does. */
async function loginTime(server: ServerProcess, name: string): Promise<number> {
  const from = performance.now()
  for (;;) {
    try {
      await (await server.user(name)).close()
      return performance.now() - from
    } catch (error) {
      // Evicted at random, before the handshake or after it.
      const { code = '', failure } = error as { code?: string; failure?: string }
      if (failure !== 'timed_out' && !['lost', 'unreachable'].includes(code)) throw error
    }
  }
}

test('five hundred peers that send a byte at a time from fifty addresses are cut, and logins succeed meanwhile', async (t) => {
  t.timeout(5 * MINUTES)
  const limits = isLong ? { handshake: 5000, login: 20_000 } : { handshake: 1500, login: 3000 }
  const server = await startServerProcess(t, { limits: { ...limits, logins: 1e6 } })
  await (await server.user('alice')).close()
  let over = false
  const lives: number[] = []
  const attacking = Array.from({ length: 500 }, async (_, n) => {
    while (!over) {
      lives.push(await drip(server, addressOf(n % 50), n % 2 === 0))
      await sleep(BACK_AGAIN_MS)
    }
  })
  const logins: number[] = []
  const end = performance.now() + limits.login * 1.5
  while (performance.now() < end) logins.push(await loginTime(server, 'alice'))
  over = true
  await Promise.all(attacking)
  t.log(
    line({
      attempts: lives.length,
      'longest life, ms': Math.round(Math.max(...lives)),
      'the limit, ms': limits.login,
      'logins meanwhile': logins.length,
      'login p50, ms': Math.round(percentile(logins, 0.5)),
      'login max, ms': Math.round(Math.max(...logins)),
    }),
  )
  t.true(lives.length >= 500)
  // Disconnected by the server's deadline, with a margin for a loaded machine.
  t.true(Math.max(...lives) < limits.login + 10_000)
  t.true(logins.length > 0)
})

/** Alice and Bob chat until aborted; returns the latency of each message in ms. */
function talk(alice: Client, bob: Client) {
  const leaving = new AbortController()
  const delays: number[] = []
  const hearing = (async () => {
    for await (const { text } of bob.messages({ signal: leaving.signal })) delays.push(performance.now() - Number(text))
  })()
  const speaking = (async () => {
    while (!leaving.signal.aborted) {
      await alice.send('bob', String(performance.now()))
      await sleep(10)
    }
  })()
  return async () => {
    leaving.abort()
    await Promise.all([hearing, speaking])
    return delays
  }
}

for (const addresses of [1, 100]) {
  const count = times(1000, 10_000)
  test(`a chat goes on during ${count} connections at once from ${addresses} address(es), which leave no memory or files behind`, async (t) => {
    t.timeout(5 * MINUTES)
    const server = await startServerProcess(t)
    const stop = talk(await server.user('alice'), await server.user('bob'))
    const before = { files: openFiles(server.pid), memory: residentMemory(server.pid) }
    const from = performance.now()
    let opened = 0
    const one = async () => {
      while (opened < count) {
        const localAddress = addressOf(opened++ % addresses)
        const socket = await connectRaw({ host: server.host, port: server.port, localAddress })
        // Half of them stay until the server closes them.
        if (opened % 2 === 0) socket.destroy()
        else await Promise.race([ended(socket), sleep(50)])
        socket.destroy()
      }
    }
    await Promise.all(Array.from({ length: 200 }, one))
    const took = performance.now() - from
    const delays = await stop()
    await until('their files are closed', () => openFiles(server.pid) <= before.files)
    t.log(
      line({
        connections: count,
        'a second': Math.round((count / took) * 1000),
        'messages meanwhile': delays.length,
        'delay p99, ms': Math.round(percentile(delays, 0.99)),
        'files before and after': `${before.files} ${openFiles(server.pid)}`,
        'memory before and after, MiB': `${Math.round(before.memory)} ${Math.round(residentMemory(server.pid))}`,
      }),
    )
    t.true(delays.length > 0)
    t.true(residentMemory(server.pid) - before.memory < 100)
  })
}
