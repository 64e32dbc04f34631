import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Receive } from '../../client/index.ts'
import { measure, type Period } from './clock.ts'
import { each } from './each.ts'
import { Latency, type Result, type Watcher } from './result.ts'
import { LoadUser } from './user.ts'

export interface LoginsOptions extends Period {
  /** Accounts that log in repeatedly. */
  readonly users: number
  /** Logins in flight. */
  readonly window: number
  /** Whether each session asks for its messages, as a client of a person does. */
  readonly receives: boolean
}

/** Complete logins: connect, handshake, SCRAM, close. The client keeps its keys, so derivation is not measured. */
export async function logins(
  address: Address,
  options: LoginsOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const { users, window, receives } = options
  const run = randomBytes(4).toString('hex')
  const accounts: LoadUser['account'][] = []
  await each(
    Array.from({ length: users }),
    async (_, index) => {
      const user = await LoadUser.register(address, `bench-l${index}-${run}`, signal)
      accounts.push(user.account)
      user.end()
    },
    (done) => watcher.progress('making accounts', done / users),
  )
  const latency = new Latency()
  let recording = false
  let stopping = false
  let count = 0
  let next = 0
  const one = async () => {
    while (!stopping) {
      const began = performance.now()
      const user = await LoadUser.login(address, accounts[next++ % accounts.length] as LoadUser['account'], signal)
      if (receives) await user.request(Receive, {})
      user.end()
      count++
      if (recording) latency.add(performance.now() - began)
    }
  }
  const loops = Promise.all(Array.from({ length: window }, one))
  const running = {
    count: () => count,
    record: (on: boolean) => {
      recording = on
    },
  }
  const measured = await Promise.race([measure(options, running, watcher, signal), loops.then(() => measuringEnded())])
  stopping = true
  await loops
  return {
    workload: 'logins',
    shape: `${users} users, ${window} at a time${receives ? ', with receive' : ''}`,
    unit: 'logins',
    ...measured,
    perSecond: measured.count / measured.seconds,
    ...latency.result,
  }
}

function measuringEnded(): never {
  throw new Error('the logins ended before the measurement did')
}
