import { randomBytes } from 'node:crypto'
import type { Address } from '../../client/channel.ts'
import { Receive } from '../../client/index.ts'
import { CreateRoom, JoinRoom } from '../../plugins/groups/messages.ts'
import { measure, type Period } from './clock.ts'
import { each } from './each.ts'
import { GroupLoad } from './group-load.ts'
import type { Result, Watcher } from './result.ts'
import { LoadUser } from './user.ts'

export interface GroupOptions extends Period {
  /** Members, all of them online. */
  readonly members: number
  /** Members who send. */
  readonly posters: number
  /** Messages in flight per poster: sent, and not yet delivered to every member. */
  readonly window: number
  /** Bytes of text. */
  readonly size: number
}

/** Fan-out in a group: some members send. A message is done when every other member has received it. */
export async function group(
  address: Address,
  options: GroupOptions,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Result> {
  const { members, posters, window, size } = options
  const run = randomBytes(4).toString('hex')
  const name = `bench-${run}`
  let failed: (error: Error) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    failed = reject
  })
  failure.catch(() => {})
  const users = await makeGroup(address, { name, run, members }, watcher, signal)
  const load = new GroupLoad(users, { group: name, run, posters, window, size, onFailure: failed })
  load.start()
  const running = {
    count: () => load.deliveries,
    record: (on: boolean) => {
      load.isRecording = on
    },
  }
  const { count, seconds } = await Promise.race([measure(options, running, watcher, signal), failure])
  await Promise.race([load.stop(), failure])
  for (const user of users) {
    user.onLost = () => {}
    user.end()
  }
  return {
    workload: 'group',
    shape: `${members} members, ${posters} posters, window ${window}, ${size} B`,
    unit: 'deliveries',
    count,
    seconds,
    perSecond: count / seconds,
    ...load.latency.result,
    acknowledged: load.stored,
  }
}

/** Registers the members of a new group, all of them receiving; the owner is the first. */
async function makeGroup(
  address: Address,
  { name, run, members }: { readonly name: string; readonly run: string; readonly members: number },
  watcher: Watcher,
  signal: AbortSignal,
): Promise<LoadUser[]> {
  const owner = await LoadUser.register(address, `bench-g0-${run}`, signal)
  await owner.request(CreateRoom, { group: name })
  await owner.request(Receive, {})
  const users = [owner]
  await each(
    Array.from({ length: members - 1 }),
    async (_, index) => {
      const user = await LoadUser.register(address, `bench-g${index + 1}-${run}`, signal)
      await user.request(JoinRoom, { group: name })
      await user.request(Receive, {})
      users.push(user)
    },
    (done) => watcher.progress('making the group', done / (members - 1)),
  )
  return users
}
