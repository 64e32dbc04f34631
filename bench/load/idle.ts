import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Receive } from '../../client/index.ts'
import { each } from './each.ts'
import type { Result, Watcher } from './result.ts'
import { LoadUser } from './user.ts'

export interface IdleOptions {
  readonly sessions: number
  /** Resident memory of the server, bytes. */
  readonly memory: () => Promise<number>
  /** Sessions per user; the default limit of a server is ten. */
  readonly perUser: number
}

/** Memory per idle session: logged in, receiving, sending nothing. */
export async function idle(
  address: Address,
  { sessions, memory, perUser }: IdleOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const run = randomBytes(4).toString('hex')
  const users: LoadUser[] = []
  await each(
    Array.from({ length: Math.ceil(sessions / perUser) }),
    async (_, index) => {
      const user = await LoadUser.register(address, `bench-i${index}-${run}`, signal)
      user.end()
      users.push(user)
    },
    (done) => watcher.progress('making accounts', (done * perUser) / sessions),
  )
  const before = await memory()
  watcher.measuring(true)
  const began = performance.now()
  const all: LoadUser[] = []
  await each(
    Array.from({ length: sessions }),
    async (_, index) => {
      const { account } = users[index % users.length] as LoadUser
      const user = await LoadUser.login(address, account, signal)
      await user.request(Receive, {})
      all.push(user)
    },
    (done) => watcher.progress('logging in', done / sessions),
  )
  const seconds = (performance.now() - began) / 1000
  const after = await memory()
  watcher.measuring(false)
  for (const user of all) user.end()
  return {
    workload: 'idle',
    shape: `${sessions} sessions of ${users.length} users`,
    unit: 'bytes a session',
    count: sessions,
    seconds,
    perSecond: sessions / seconds,
    value: (after - before) / sessions,
  }
}
