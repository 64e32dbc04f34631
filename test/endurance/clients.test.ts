import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Client } from '../../client/index.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { type ServerProcess, startServerProcess } from '../support/processes/server-process.ts'
import { openProxy } from '../support/wire/proxy.ts'

/** Time limit of each request, milliseconds. */
const LIMIT = 400

/** Disturbances of connections and of the server. */
async function trouble(server: ServerProcess, proxy: Awaited<ReturnType<typeof openProxy>>, random: () => number) {
  const chance = random()
  if (chance < 0.4) proxy.cut()
  else if (chance < 0.7) proxy.freeze()
  else if (chance < 0.85) {
    // Longer than the time limits of requests.
    proxy.loseAnswers(true)
    await pause(LIMIT * (1 + random() * 3))
    proxy.loseAnswers(false)
  } else {
    await server.stop('SIGKILL')
    await pause(LIMIT * random() * 3)
    await server.start()
  }
}

/** Causes disturbances until aborted. */
function makeTrouble(server: ServerProcess, proxy: Awaited<ReturnType<typeof openProxy>>, random: () => number) {
  let isOver = false
  let troubles = 0
  const done = (async () => {
    while (!isOver) {
      await pause(100 + random() * 1500)
      await trouble(server, proxy, random)
      troubles++
    }
  })()
  return {
    async stop() {
      isOver = true
      await done
      return troubles
    },
  }
}

/** Sends so many numbered messages, and retries each until it is stored. */
async function sendAll(client: Client, count: number, random: () => number) {
  let late = 0
  for (let n = 1; n <= count; n++) {
    for (let isStored = false; !isStored; ) {
      try {
        await client.send('bob', String(n), { clientId: String(n), timeout: 50 + random() * 1000 })
        isStored = true
      } catch (error) {
        const { code, retryAfter = 0 } = error as { code?: string; retryAfter?: number }
        if (code !== 'timed_out' && retryAfter === 0) throw error
        late++
      }
    }
  }
  return late
}

/** Alice and Bob behind a bad connection. */
async function openPlay(t: ExecutionContext) {
  const server = await startServerProcess(t)
  const proxy = await openProxy(t, server, { keep: false })
  for (const name of ['alice', 'bob']) await (await server.user(name)).close()
  const enter = (name: string) => server.user(name, { server: proxy.address, reconnect: true, timeout: LIMIT })
  return { server, proxy, enter }
}

test('while loops restart, connections break and freeze and servers are killed, every message is delivered in order, and not again once acknowledged', async (t) => {
  const count = times(300, 10_000)
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const { server, proxy, enter } = await openPlay(t)
  const [alice, bob] = [await enter('alice'), await enter('bob')]
  const closed: Error[] = []
  for (const client of [alice, bob]) client.onLife('closed', (error) => closed.push(error))
  const troubles = makeTrouble(server, proxy, random)
  const heard = new Set<number>()
  const acknowledged = new Set<number>()
  let [loops, again, disorder, twice] = [0, 0, 0, 0]
  const sending = sendAll(alice, count, random)
  while (acknowledged.size < count) {
    loops++
    const stop = new AbortController()
    const length = 1 + Math.floor(random() * 30)
    let current: number | undefined
    let taken = 0
    for await (const { text } of bob.messages({ signal: stop.signal })) {
      if (current !== undefined) acknowledged.add(current)
      current = Number(text)
      if (acknowledged.has(current)) twice++
      if (heard.has(current)) again++
      else if (current !== heard.size + 1) disorder++
      heard.add(current)
      // Left in the body, or stopped, after which the last one is acknowledged if it can be.
      if (++taken < length && current < count) continue
      if (random() < 0.5 && current < count) break
      stop.abort()
      if (current === count) acknowledged.add(current)
    }
    if (heard.size === count) break
  }
  const late = await sending
  t.log(
    line({
      messages: count,
      loops,
      troubles: await troubles.stop(),
      'sends out of time': late,
      'handed out again': again,
    }),
  )
  t.deepEqual({ heard: heard.size, disorder, twice }, { heard: count, disorder: 0, twice: 0 })
  // A client closed on purpose reports it too.
  t.deepEqual(closed, [])
})

test('shell commands over a bad connection end within their time limit or by Ctrl-C, and listen prints every message in order', async (t) => {
  const count = times(60, 2000)
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const { server, proxy, enter } = await openPlay(t)
  const { shell } = server
  const env = { CHATCTL_TIMEOUT: '1s' }
  for (const name of ['alice', 'bob']) {
    const ran = await shell.run(['login', name, '--server', proxy.address, '--password-file', '-'], {
      input: `${name}'s password`,
    })
    t.is(ran.code, 0, ran.stderr)
  }
  const listening = shell.start(['listen', '--context', 'bob', '-o', 'ndjson'], { env })
  const alice = await enter('alice')
  // It starts before the disturbances.
  await alice.send('bob', '0')
  await listening.output.prints('"text":"0"')
  const troubles = makeTrouble(server, proxy, random)
  const sending = sendAll(alice, count, random)
  // Nobody answers and nothing fits: these end by their time limit, or for want of a server at their start.
  const ends: (number | null)[] = []
  for (let round = 0; round < times(3, 30); round++) {
    const begun = performance.now()
    const ran = await Promise.all([
      shell.run(['expect', '--context', 'alice', '--match', 'never', '--timeout', '2s'], { env }),
      shell.run(['ask', '--context', 'alice', 'alice', 'well?', '--options', 'a,b', '--timeout', '2s'], { env }),
      shell.run(['send', '--context', 'bob', 'alice', '-', '--lines'], { env, input: 'one\ntwo\n' }),
    ])
    ends.push(...ran.map(({ code }) => code))
    t.true(performance.now() - begun < 60_000)
  }
  await sending
  await listening.output.prints(`"text":"${count}"`)
  await troubles.stop()
  proxy.freeze()
  listening.child.kill('SIGINT')
  const { code, stdout } = await listening.done
  const texts = stdout
    .split('\n')
    .filter(Boolean)
    .map((record) => JSON.parse(record).text)
  t.log(line({ messages: count, printed: texts.length, ends: ends.join(' ') }))
  t.is(code, 130)
  t.deepEqual(
    [...new Set(texts)],
    Array.from({ length: count + 1 }, (_, n) => String(n)),
  )
  t.true(ends.every((end) => end !== null && [0, 3, 5, 6].includes(end)))
})
