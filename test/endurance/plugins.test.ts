import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { ClientMessage } from '../../core/index.ts'
import { Leak, Loop, Throw } from '../support/endurance/bad-plugin.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { type ServerProcessOptions, startServerProcess } from '../support/processes/server-process.ts'

const PLUGIN = fileURLToPath(new URL('../support/endurance/bad-plugin.js', import.meta.url))
const NAMES = ['alice', 'carol', 'dave', 'eve']
const WINDOW = 32

/** Four users send to Bob, Mallory makes a plugin end the server, and the server is restarted. */
async function endedBy(t: ExecutionContext, message: ClientMessage, options: ServerProcessOptions) {
  const rounds = times(1, 20)
  t.timeout(rounds * MINUTES + 2 * MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t, { args: ['--plugin', PLUGIN], ...options })
  await (await server.user('bob')).close()
  const ledger = new Ledger()
  const senders = NAMES.map((name) => new Sender(name, ledger))
  const ends: { signal: NodeJS.Signals | null; stdout: string; took: number }[] = []
  for (let round = 1; round <= rounds; round++) {
    const sending = senders.map(async (sender) =>
      untilLost(sender.send(await server.user(sender.name), { window: WINDOW, enough: () => false })),
    )
    await ledger.acknowledgements(ledger.acknowledged + 1 + Math.floor(random() * 300))
    const mallory = await server.user('mallory', { messages: [Loop, Leak] })
    const asked = performance.now()
    const asking = t.throwsAsync(mallory.request(message, {}), { code: 'lost' })
    const { stdout, signal } = await server.ended()
    ends.push({ signal, stdout, took: Math.round(performance.now() - asked) })
    await Promise.all([asking, ...sending])
    await server.start()
    const bob = await server.user('bob')
    ledger.find(await storedFor(bob))
    await bob.close()
    t.like(ledger.figures(), KEPT, `round ${round}`)
  }
  t.log(line({ rounds, ...ledger.figures(), 'longest until the end, ms': Math.max(...ends.map(({ took }) => took)) }))
  return ends
}

test('the watchdog ends a server whose plugin loops, and no acknowledged message is lost', async (t) => {
  for (const { signal, stdout } of await endedBy(t, Loop, { limits: { stall: 1000 } })) {
    t.is(signal, 'SIGABRT')
    t.like(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), { level: 'fatal', stall: 1000 })
  }
})

test('a server whose plugin leaks ends at its memory limit, and no acknowledged message is lost', async (t) => {
  for (const { signal } of await endedBy(t, Leak, { env: { NODE_OPTIONS: '--max-old-space-size=96' } }))
    t.is(signal, 'SIGABRT')
})

test('an unhandled rejection in a plugin is logged, and the server continues', async (t) => {
  const server = await startServerProcess(t, { args: ['--plugin', PLUGIN] })
  const alice = await server.user('alice', { messages: [Throw] })
  for (let n = 0; n < 20; n++) await alice.request(Throw, {})
  await alice.send('alice', 'note to self')
  const { code, stdout } = await server.stop()
  t.is(code, 0)
  t.true(stdout.split('nobody awaits this').length > 20)
})

test('the watchdog ignores a suspension of the machine', async (t) => {
  const server = await startServerProcess(t, { limits: { stall: 500 } })
  const alice = await server.user('alice')
  process.kill(server.pid, 'SIGSTOP')
  await sleep(1500)
  process.kill(server.pid, 'SIGCONT')
  await alice.send('alice', 'still here')
  t.is((await server.stop()).code, 0)
})
