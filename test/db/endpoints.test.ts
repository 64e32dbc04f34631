import type { ExecutionContext } from 'ava'
import test from 'ava'
import { connectionsOf } from '../../db/database-url.ts'
import { Endpoints, endpointOf, isUnavailable, migrate, openDatabase, withoutPassword } from '../../db/index.ts'
import { hasMariadb, startMariadb } from '../support/databases/mariadb.ts'
import { testWhere } from '../support/endurance/rounds.ts'

const onMariadb = testWhere(hasMariadb(), 'MariaDB is not installed: the choice among database servers')

/** Two servers with the same tables, which do not replicate: what each has is set by the test. */
async function openPair(t: ExecutionContext) {
  const servers = [await startMariadb(), await startMariadb()]
  for (const server of servers) {
    t.teardown(() => server.close())
    await server.run('create database chat')
    const db = await openDatabase(`${server.server}/chat`)
    await migrate(db)
    await db.destroy()
  }
  const [first, second] = servers as [(typeof servers)[number], (typeof servers)[number]]
  const setHead = (server: typeof first, last: number) => server.run(`update chat.head set last = ${last}`)
  const switches: string[] = []
  const url = `mysql://root@127.0.0.1:${first.port},127.0.0.1:${second.port}/chat`
  const behind: Error[] = []
  const endpoints = new Endpoints(url, {
    onSwitch: (_from, to) => switches.push(to),
    onBehind: (error) => behind.push(error),
    behindMs: 0,
  })
  const db = await openDatabase(url, { endpoints, statementTimeout: 2500 })
  t.teardown(async () => {
    endpoints.close()
    await db.destroy()
  })
  return {
    first,
    second,
    db,
    endpoints,
    setHead,
    switches,
    behind,
    nameOf: ({ port }: typeof first) => `127.0.0.1:${port}`,
  }
}

const lastOf = async (db: Awaited<ReturnType<typeof openDatabase>>) => Number((await db('head').first('last')).last)

onMariadb(
  'the next server is used when the first is gone, once it has what was seen; the first when it is back',
  async (t) => {
    const { first, second, db, endpoints, setHead, switches, nameOf } = await openPair(t)
    await setHead(first, 7)
    await setHead(second, 5)
    t.is(await lastOf(db), 7)
    endpoints.saw(7)
    await first.stop('SIGKILL')
    const refused = await t.throwsAsync(async () => {
      // The first statement finds its connection lost, the next one connects.
      await lastOf(db).catch(() => lastOf(db))
    })
    t.true(isUnavailable(refused))
    t.is(endpointOf(db), nameOf(first), 'the second server is behind')
    await setHead(second, 8)
    t.is(await lastOf(db), 8)
    t.deepEqual([endpointOf(db), switches], [nameOf(second), [nameOf(second)]])
    await first.start()
    await setHead(first, 9)
    while (endpointOf(db) !== nameOf(first)) await lastOf(db)
    t.is(await lastOf(db), 9)
    t.deepEqual(switches, [nameOf(second), nameOf(first)])
  },
)

onMariadb(
  'a server that hangs is left at the deadline of a statement, also for statements that wait behind it',
  async (t) => {
    const { first, second, db, nameOf } = await openPair(t)
    const waiting = await db.transaction()
    t.is(await lastOf(db), 0)
    await first.freeze()
    const ended = await Promise.allSettled([waiting.raw('select 1'), waiting.raw('select 2'), lastOf(db)])
    t.deepEqual(
      ended.map((end) => end.status === 'rejected' && isUnavailable(end.reason)),
      [true, true, true],
    )
    while (endpointOf(db) !== nameOf(second)) await lastOf(db).catch(() => {})
    t.is(await lastOf(db), 0)
    await waiting.rollback().catch(() => {})
  },
)

onMariadb('when all servers lack what was seen, the process is told to stop', async (t) => {
  const { first, db, endpoints, setHead, behind } = await openPair(t)
  await setHead(first, 7)
  endpoints.saw(8)
  await first.stop('SIGKILL')
  await first.start()
  await t.throwsAsync(async () => {
    // The first statement finds its connection lost; a new connection is checked.
    await lastOf(db).catch(() => lastOf(db))
  })
  t.regex(behind[0]?.message ?? '', /has the log up to [07], and not up to 8. It was restored/)
})

onMariadb('a server that has become read-only is left, and one that is read-only is not chosen', async (t) => {
  const { first, second, db, nameOf } = await openPair(t)
  await db('head').update({ last: 1 })
  await second.run('set global read_only = 1')
  await first.stop('SIGKILL')
  await t.throwsAsync(async () => {
    await lastOf(db).catch(() => lastOf(db))
  })
  t.is(endpointOf(db), nameOf(first))
  await second.run('set global read_only = 0')
  t.is(await lastOf(db), 0)
  t.is(endpointOf(db), nameOf(second))
})

test('a database URL names several servers in the order of preference', (t) => {
  const servers = connectionsOf('mysql://chat:s%40c@one,two:3307,[::1]:3308/chat?ssl=true')
  t.deepEqual(
    servers.map(({ host, port }) => [host, port]),
    [
      ['one', 3306],
      ['two', 3307],
      ['::1', 3308],
    ],
  )
  t.true(
    servers.every(
      ({ user, password, database, ssl }) => user === 'chat' && password === 's@c' && database === 'chat' && ssl,
    ),
  )
  t.is(withoutPassword('mysql://chat:secret@one,two:3307/chat?ssl=true'), 'mysql://chat@one,two:3307/chat')
  for (const url of ['mysql://one,/chat', 'mysql://one,two', 'mysql://one,two/chat?tls=1'])
    t.throws(() => connectionsOf(url), { message: /a database URL/ }, url)
})
