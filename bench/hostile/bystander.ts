import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ping } from '../../core/wire/index.ts'
import { QueryFriendRequests } from '../../plugins/friends/messages.ts'
import { SendMessage } from '../../plugins/messages/messages.ts'
import { each } from '../load/each.ts'
import type { Result, Watcher } from '../load/result.ts'
import { Latency } from '../load/result.ts'
import { LoadUser } from '../load/user.ts'
import type { Attack } from './attacks.ts'

/** Time for the server to start measuring its event loop. */
const SETTLE_MS = 200
/** Pause between two requests of the bystander. */
const PAUSE_MS = 20
/** Time limit of the bystander's requests, as in the client library. */
const TIMEOUT_MS = 10_000
/** Requests of the bystander, sent in turn; each reply is one sample. */
const PROBES: readonly ((user: LoadUser) => Promise<unknown>)[] = [
  (user) => user.request(Ping, {}),
  (user) => user.request(SendMessage, { to: user.account.name, text: 'is anybody there?' }),
  (user) => user.request(QueryFriendRequests, {}),
]

/** A loopback address that no attack uses. */
const BYSTANDER_ADDRESS = '127.0.0.2'

/**
 * Measures how an attack affects a bystander: latencies of a ping, a message, a query and a login, in turn. Requests that
 * are refused, time out or lose their connection count as failed.
 */
export async function hostile(
  { host, port }: { readonly host: string; readonly port: number },
  attack: Attack,
  seconds: number,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const over = new AbortController()
  const run = randomBytes(4).toString('hex')
  let made = 0
  const user = () => LoadUser.register({ host, port }, `b${made++}-${run}`, signal)
  const users = async (count: number) => {
    const all: LoadUser[] = []
    await each(Array.from({ length: count }), async () => {
      all.push(await user())
    })
    return all
  }
  const { account } = await user()
  const login = () => LoadUser.login(() => connect({ host, port, localAddress: BYSTANDER_ADDRESS }), account, signal)
  watcher.progress('preparing', 0)
  const begin = await attack.prepare({ host, port, over: over.signal, user, users })
  const latency = new Latency()
  let failed = 0
  let count = 0
  const record = async (work: () => Promise<unknown>) => {
    const began = performance.now()
    try {
      await Promise.race([work(), sleep(TIMEOUT_MS, undefined, { ref: false }).then(tooLong)])
      latency.add(performance.now() - began)
      count++
    } catch {
      failed++
    }
    await sleep(PAUSE_MS)
  }
  let bystander = await login()
  watcher.measuring(true)
  // The server's measurement must have started before the attack does.
  await sleep(SETTLE_MS)
  const began = performance.now()
  const attacking = begin()
  for (let took = 0; took < seconds * 1000; took = performance.now() - began) {
    watcher.progress('measuring', took / (seconds * 1000))
    for (const probe of PROBES) await record(() => probe(bystander))
    await record(async () => {
      const again = await login()
      bystander.end()
      bystander = again
    })
  }
  const took = (performance.now() - began) / 1000
  over.abort()
  watcher.measuring(false)
  await attacking
  const { p50, p99 } = latency.result
  return {
    workload: 'hostile',
    shape: attack.name,
    unit: 'answers',
    count,
    seconds: took,
    perSecond: count / took,
    p50,
    p99,
    max: latency.max,
    failed,
  }
}

function tooLong(): never {
  throw new Error('no answer')
}
