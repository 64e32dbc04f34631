import test from 'ava'
import type { Self } from '../../cli/server/cluster/link.ts'
import { NatsLink } from '../../cli/server/cluster/nats-link.ts'
import { natsServers } from '../../cli/server/cluster/nats-settings.ts'
import { QueryUsers, Typing, UserTyping } from '../../client/index.ts'
import { startNats } from '../support/cluster/nats.ts'
import { copyKeys, sharedConnection, sharedDatabase } from '../support/cluster/nodes.ts'
import { clusterClock, eventually } from '../support/cluster/time.ts'
import { requireProgram } from '../support/processes/required.ts'
import { nextPush } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

test('over NATS, Bob is seen on the other node, goes off while NATS is gone, and is back with it', async (t) => {
  if (!requireProgram(t, 'nats-server')) return
  const nats = await startNats(t)
  const clock = clusterClock()
  const db = await sharedDatabase(t)
  const folders = [await tempFolder(t), await tempFolder(t)] as const
  const start = async (data: string) => {
    const cluster = { name: data, connect: async (self: Self) => new NatsLink(natsServers([nats.url]), self) }
    return startLocalServer(t, { data, db, database: await sharedConnection(t, { data, db }), cluster, clock })
  }
  const one = await start(folders[0])
  await copyKeys(...folders)
  const two = await start(folders[1])
  const [alice, bob] = [await one.user('alice'), await two.user('bob')]
  const operator = await one.operator()
  const sees = (count: number) =>
    eventually(clock, async () => {
      const { users } = await operator.request(QueryUsers, { after: 0 })
      return users.find(({ user }) => user === 'bob')?.sessions === count
    })
  await sees(1)
  const typing = nextPush(bob, UserTyping)
  await alice.request(Typing, { to: 'bob' })
  t.like(await typing, { from: 'alice' })
  await nats.kill()
  await clock.advance(12_000)
  await sees(0)
  await nats.start()
  await sees(1)
  t.deepEqual((await bob.inbox()).messages, [])
})
