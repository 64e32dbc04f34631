import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { CeilingUser } from '../../bench/ceiling.ts'
import { clusterColumns, comparisons, merged } from '../../bench/cluster/figures.ts'
import { onCluster, setupsFor } from '../../bench/cluster/index.ts'
import { grown, grownColumns } from '../../bench/grown/index.ts'
import { seed } from '../../bench/grown/seed.ts'
import * as load from '../../bench/load/index.ts'
import { countMessages, measured } from '../../bench/measured.ts'
import { readOptions } from '../../bench/options.ts'
import { profileOf } from '../../bench/profile/index.ts'
import { summaryOf } from '../../bench/profile/summary.ts'
import { startCeiling, startServer } from '../../bench/server.ts'
import { sqliteAlone } from '../../bench/store.ts'
import { dataPaths } from '../../cli/server/paths.ts'
import {
  conversation,
  groupHistory,
  isDatabaseUrl,
  membersOf,
  migrate,
  unreadByGroup,
  unreadBySender,
} from '../../db/index.ts'
import { canRunCluster } from '../support/cluster/processes.ts'
import { emptyDatabase, emptyPlace } from '../support/databases/empty-database.ts'
import { openShell } from '../support/processes/shell.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** Long enough for a positive count on a busy machine. */
const PERIOD = { warmUp: 0.05, seconds: 0.4, size: 64 }
const NEVER = new AbortController().signal

/** A server in this process with the limits of a benchmark; `stored` closes it and counts messages. */
async function openBench(t: ExecutionContext) {
  const stage = await startLocalServer(t, { limits: 'off' })
  const steps = new Set<string>()
  const watcher = { progress: (what: string) => void steps.add(what), measuring: () => {} }
  return {
    address: { host: stage.host, port: stage.port },
    watcher,
    steps,
    async stored() {
      await stage.close()
      return countMessages(stage.db ?? dataPaths(stage.data).database)
    },
  }
}

/** Checks that a rate is count per time, and that latencies ascend. */
function isPlausible(t: ExecutionContext, { count, seconds, perSecond, p50 = 0, p99 = 0 }: load.Result) {
  t.true(count > 0)
  t.true(seconds > 0)
  t.is(perSecond, count / seconds)
  t.true(p50 <= p99, `${p50} ${p99}`)
}

test.serial('pairs: the acknowledged messages are the stored ones', async (t) => {
  const { address, watcher, steps, stored } = await openBench(t)
  const result = await load.pairs(load.friendsOn(address), { ...PERIOD, pairs: 2, window: 3 }, watcher, NEVER)
  isPlausible(t, result)
  t.like(result, { workload: 'pairs', unit: 'messages', shape: '2 pairs, window 3, 64 B' })
  t.true((result.p50 ?? 0) > 0)
  t.true((result.acknowledged ?? 0) >= result.count)
  t.is(result.acknowledged, await stored())
  t.deepEqual([...steps], ['making pairs', 'warm-up', 'measuring'])
})

test.serial('a group: each message is delivered to all other members, batched pushes included', async (t) => {
  const { address, watcher, stored } = await openBench(t)
  const result = await load.group(address, { ...PERIOD, members: 4, posters: 3, window: 8 }, watcher, NEVER)
  isPlausible(t, result)
  t.like(result, { workload: 'group', unit: 'deliveries' })
  t.true((result.acknowledged ?? 0) * 3 >= result.count)
  t.is(result.acknowledged, await stored())
})

test.serial('logins, idle sessions and unread messages', async (t) => {
  const { address, watcher, stored } = await openBench(t)
  const logins = await load.logins(address, { ...PERIOD, users: 2, window: 2, receives: true }, watcher, NEVER)
  isPlausible(t, logins)

  // Twelve sessions, three of each user; the server reports 1200 bytes more.
  const sizes = [1000, 2200]
  const memory = async () => sizes.shift() ?? 0
  const idle = await load.idle(address, { sessions: 12, perUser: 3, memory }, watcher, NEVER)
  t.like(idle, { count: 12, value: 100, shape: '12 sessions of 4 users' })

  const unread = await load.unread(address, { messages: 250, size: 64 }, watcher, NEVER)
  t.like(unread, { count: 250, acknowledged: 250 })
  t.is(await stored(), 250)
})

test.serial('the benchmark measures a server of its own and the ceiling', async (t) => {
  const steps: string[] = []
  const of = { progress: (what: string) => void steps.push(what), signal: NEVER }
  const shape = { ...PERIOD, pairs: 1, window: 2 }
  let pid = 0
  const server = await measured({
    ...of,
    start: (data) => startServer({ data }),
    load: (running, watcher, signal) => {
      pid = running.pid
      return load.pairs(load.friendsOn({ host: '127.0.0.1', port: running.port }), shape, watcher, signal)
    },
    database: (data) => dataPaths(data).database,
  })
  isPlausible(t, server)
  t.true((server.stored ?? 0) > 0)
  t.is(server.stored, server.acknowledged)
  // The system counts processor time in steps of 10 ms: a short run may show none.
  t.true(server.cpuMs >= 0)
  t.true(server.memory > 20 * 1024 ** 2)
  t.false(isRunning(pid))

  const place = await emptyPlace(t)
  const ceiling = await measured({
    ...of,
    start: (data) => startCeiling({ data, db: isDatabaseUrl(place) ? place : undefined, size: 64 }),
    load: ({ port }, watcher, signal) =>
      load.pairs(
        async () => [await CeilingUser.connect(port, 'a', signal), await CeilingUser.connect(port, 'b', signal)],
        shape,
        watcher,
        signal,
      ),
  })
  isPlausible(t, ceiling)
  t.is(ceiling.stored, undefined)
})

test.serial('the CPU profile of a measured time is written with a summary', async (t) => {
  const folder = await tempFolder(t)
  const profile = await profileOf(folder, '2 pairs × 3, sqlite')
  const result = await measured({
    progress: () => {},
    signal: NEVER,
    start: (data) => startServer({ data, profile: profile.file }),
    load: ({ port }, watcher, signal) =>
      load.pairs(load.friendsOn({ host: '127.0.0.1', port }), { ...PERIOD, pairs: 2, window: 3 }, watcher, signal),
  })
  await profile.summarize(result)
  t.deepEqual((await readdir(folder)).sort(), ['2-pairs-3-sqlite.cpuprofile', '2-pairs-3-sqlite.md'])
  const summary = await readFile(join(folder, '2-pairs-3-sqlite.md'), 'utf8')
  t.true(summary.startsWith('# 2 pairs × 3, sqlite\n'))
  t.regex(summary, /^\| SQLite \| [\d.]+ % \| [\d.]+ \|$/m)
  t.regex(summary, /^\| `run` native, in `#commit` db\/sqlite-messages\.js:\d+ \|/m)
})

test('a summary of a profile: shares of the time that the server was busy; a native function belongs to its caller', (t) => {
  const frame = (functionName: string, url = '') => ({
    functionName,
    url,
    scriptId: '1',
    lineNumber: 9,
    columnNumber: 0,
  })
  const summary = summaryOf(
    {
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 3, 5] },
        { id: 2, callFrame: frame('(idle)') },
        { id: 3, callFrame: frame('#commit', 'file:///somewhere/dist/db/sqlite-messages.js'), children: [4] },
        { id: 4, callFrame: frame('run') },
        { id: 5, callFrame: frame('(garbage collector)') },
      ],
      samples: [2, 3, 4, 5, 2],
      timeDeltas: [0, 500, 100, 200, 100],
      startTime: 0,
      endTime: 900,
    },
    { title: 'a load', unit: 'messages', count: 10, cpuMs: 0.05 },
  )
  t.is(
    summary,
    `# a load

Main thread: 0.0 s, idle 56 %; 10 messages, 40.00 µs each while it was not idle: waiting
for a flush and the profiler are in it. Processor time of all threads: 50.0 µs each.

| part | share | µs each |
| --- | --- | --- |
| SQLite | 50.0 % | 20.00 |
| SQLite: own code | 25.0 % | 10.00 |
| garbage collection | 25.0 % | 10.00 |

| function, own time | share | µs each |
| --- | --- | --- |
| \`run\` native, in \`#commit\` db/sqlite-messages.js:10 | 50.0 % | 20.00 |
| \`#commit\` db/sqlite-messages.js:10 | 25.0 % | 10.00 |
`,
  )
})

test.serial('the same requests are measured on databases of several sizes', async (t) => {
  const sizes = [1000, 2000]
  const rows = await grown({ sizes, milliseconds: 0, progress: () => {}, signal: NEVER })
  t.deepEqual(
    rows.filter(({ costs }) => !sizes.every((size) => (costs[size]?.ms ?? 0) > 0)),
    [],
  )
  const cells = grownColumns(sizes).map(({ value }) => value(rows[0] as (typeof rows)[number]))
  t.is(cells[0], 'start')
  t.regex(String(cells.at(-1)), /^\d+\.\d ×$/)
})

test.serial('a grown database has unread messages of each sort, and as many members as it says', async (t) => {
  const { db, where } = await emptyDatabase(t)
  await migrate(db)
  await seed(where, 20_000, () => {})
  const [bySender, byGroup] = [await unreadBySender(db, 1), await unreadByGroup(db, 1)]
  t.is(bySender.counts.size, 1000)
  t.is(byGroup.counts.size, 10)
  t.is((await membersOf(db, 20)).length, 500)
  const [first] = await conversation(db, 1, 2, { after: 0, limit: 1 })
  t.deepEqual([first?.user_id, first?.target_id], [2, 1])
  t.is((await groupHistory(db, 20, 0, { before: Number.MAX_SAFE_INTEGER, limit: 500 })).at(-1)?.seq, 400)
})

test.serial('nodes of a cluster: each setup stores what it acknowledges', async (t) => {
  if (!canRunCluster(t)) return
  const { rows, stores } = await onCluster({
    ...PERIOD,
    shapes: [{ pairs: 2, window: 2 }],
    nodes: [2],
    rounds: 1,
    galera: false,
    build: undefined,
    profile: undefined,
    progress: () => {},
    signal: NEVER,
  })
  t.deepEqual(
    rows.map(({ setup, cpu }) => [setup.title, cpu.servers.length, cpu.database.length]),
    [
      ['ceiling', 1, 1],
      ['2 nodes, pairs on the first', 2, 1],
      ['2 nodes, pairs across', 2, 1],
    ],
  )
  for (const row of rows) {
    isPlausible(t, row)
    t.is(row.stored, row.setup.kind === 'ceiling' ? undefined : row.acknowledged)
  }
  t.deepEqual(
    stores.map(({ writers, rowsATransaction }) => [writers, rowsATransaction]),
    [1, 50, 500].flatMap((size) => [1, 2].map((writers) => [writers, size])),
  )
  t.true(stores.every(({ rowsPerSecond }) => rowsPerSecond > 0))
})

test('figures of a cluster: medians of the rounds, and what a cluster costs', (t) => {
  const round = (perSecond: number, p50: number, server: number) => ({
    ...{ workload: 'pairs', shape: 'a shape', unit: 'messages', count: 10, seconds: 1, perSecond, p50, p99: 9 },
    ...{ acknowledged: 12, stored: 12, cpu: { servers: [server], database: [0.05], nats: 0 } },
  })
  const [, alone, clustered] = setupsFor([1])
  if (alone === undefined || clustered === undefined) return t.fail()
  const rows = [
    merged(alone, 'MariaDB', [round(100, 4, 0.1), round(300, 2, 0.2), round(200, 3, 0.3)]),
    merged(clustered, 'MariaDB', [round(100, 4, 0.25)]),
  ]
  t.like(rows[0], { perSecond: 200, range: [100, 300], p50: 3, cpu: { servers: [0.2] }, acknowledged: 36, stored: 36 })
  t.deepEqual(
    comparisons(rows).map(({ what, one, other }) => [what.split(': ')[1], one, other]),
    [
      ['messages/s', 200, 100],
      ['CPU ms of it', 0.2, 0.25],
      ['CPU ms, all', 0.25, 0.3],
    ],
  )
  const limit = clusterColumns(rows).find(({ title }) => title === 'a core each /s')
  t.is(limit?.value(rows[0] as (typeof rows)[number]), '5,000')
})

test.serial('a load that fails leaves no server behind', async (t) => {
  let pid = 0
  const failing = measured({
    start: (data) => startServer({ data }),
    load: async (running) => {
      pid = running.pid
      throw new Error('the load fell over')
    },
    progress: () => {},
    signal: NEVER,
  })
  await t.throwsAsync(failing, { message: 'the load fell over' })
  t.false(isRunning(pid))
})

test.serial('Ctrl-C ends a benchmark with 130, and the server with it', async (t) => {
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url))
  const args = ['--workload', 'pairs', '--shapes', '1x1', '--seconds', '60', '--warm-up', '0']
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  // The databases alone come first, then the ceiling.
  await heard(child.stderr, 'ceiling: measuring')
  const server = await onlyChildOf(child.pid ?? 0)
  t.true(isRunning(server))
  child.kill('SIGINT')
  t.deepEqual(await ended, [130, null])
  t.false(isRunning(server))
})

test.serial('a database alone: rows a second', async (t) => {
  const file = join(await tempFolder(t), 'alone.db')
  const result = await sqliteAlone(file, { rows: 50, size: 64, seconds: 0.1, onProgress: () => {}, signal: NEVER })
  t.like(result, { database: 'SQLite', rowsATransaction: 50 })
  t.true(result.rowsPerSecond > 0)
})

test('options of the benchmark are parsed; invalid ones are refused', async (t) => {
  const standard = await readOptions([])
  t.deepEqual(standard.workloads, ['pairs', 'group', 'logins', 'idle', 'unread'])
  t.is(standard.transport, 'tcp')
  t.is((await readOptions(['--transport', 'ws'])).transport, 'ws')
  t.deepEqual(standard.shapes[0], { pairs: 100, window: 32 })
  t.is(standard.shapes.length, 4)
  t.deepEqual((await readOptions(['--pairs', '7'])).shapes, [{ pairs: 7, window: 32 }])
  t.deepEqual((await readOptions(['--shapes', '3x4,5x6'])).shapes, [
    { pairs: 3, window: 4 },
    { pairs: 5, window: 6 },
  ])
  t.deepEqual((await readOptions(['--nodes', '3,1,3'])).nodes, [1, 3])
  const refused: [string[], RegExp][] = [
    [['--workload', 'pears'], /no workload "pears"/],
    [['--shapes', '3*4'], /"3\*4" is not a shape/],
    [['--pairs', '0'], /--pairs must be a positive integer/],
    [['--sessions', '1000000000000'], /needs 1000000000500 open files, and \d+ are allowed/],
    [['--seconds', '0'], /--seconds must be above 0/],
    [['--db', 'oracle'], /Invalid values/],
    [['--nodes', '1,9'], /--nodes must be numbers from 1 to 8/],
    [['--rounds', '0'], /--rounds must be a positive integer/],
    [['--speed', '11'], /Unknown argument/],
  ]
  for (const [args, message] of refused) await t.throwsAsync(readOptions(args), { message }, args.join(' '))
})

test.serial('the load can speak WebSocket', async (t) => {
  let webSocket = ''
  const result = await measured({
    progress: () => {},
    signal: NEVER,
    start: (data) => startServer({ data, http: 0 }),
    load: ({ http = '' }, watcher, signal) => {
      webSocket = `${http.replace('http', 'ws')}/chat`
      const shape = { ...PERIOD, pairs: 1, window: 2 }
      return load.pairs(load.friendsOn({ url: webSocket }), shape, watcher, signal)
    },
  })
  t.regex(webSocket, /^ws:\/\/127\.0\.0\.1:\d+\/chat$/)
  isPlausible(t, result)
})

/** Result of a load from the shell. */
const short = ['--for', '500ms', '--warm-up', '50ms']

test.serial('chatctl bench loads a server on this machine and reports the result', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve(['--limits', 'off'])
  for (const [args, expected] of [
    [['--pairs', '2', '--window', '2'], { workload: 'pairs', shape: '2 pairs, window 2, 64 B' }],
    [['--workload', 'group', '--members', '3', '--window', '2'], { workload: 'group', unit: 'deliveries' }],
    [['--workload', 'logins', '--users', '2', '--window', '2'], { workload: 'logins', unit: 'logins' }],
  ] as const) {
    const { code, stdout, stderr } = await shell.run(['bench', server, ...args, ...short, '-o', 'json'])
    t.is(code, 0, stderr)
    t.regex(stderr, /making \d accounts on .*, named bench-…, which stay there/)
    t.regex(stderr, /--limits off/)
    t.regex(stderr, /^measuring$/m)
    const result = JSON.parse(stdout)
    t.like(result, { ...expected, server })
    isPlausible(t, result)
  }
})

test.serial('chatctl bench: a table for people, Ctrl-C, and an unreachable server', async (t) => {
  const shell = await openShell(t)
  const { server, stop } = await shell.serve(['--limits', 'off'])
  const { stdout: table } = await shell.run(['bench', server, '--pairs', '1', ...short, '-o', 'table'])
  t.regex(table, /^result +[\d,]+ messages\/s$/m)

  const long = shell.start(['bench', server, '--pairs', '1', '--for', '10m', '--warm-up', '50ms'])
  await heard(long.child.stderr, 'measuring')
  long.child.kill('SIGINT')
  const { code, stdout, stderr } = await long.done
  t.is(code, 130)
  t.is(stdout, '')
  t.regex(stderr, /error: stopped/)

  await stop()
  t.is((await shell.run(['bench', server])).code, 3)
})

test.serial('chatctl bench: limits in force end it; another machine needs confirmation', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const limited = await shell.run(['bench', server, '--pairs', '100'])
  t.is(limited.code, 5)
  t.regex(limited.stderr, /error: too many registrations from this address/)

  const elsewhere = await shell.run(['bench', 'chat.example:7300', '--pairs', '3'])
  t.is(elsewhere.code, 2)
  t.regex(elsewhere.stderr, /makes 6 accounts on chat\.example:7300/)
  t.regex(elsewhere.stderr, /--yes/)
  t.is((await shell.run(['bench', 'no:port:here'])).code, 2)
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until a process has printed something. */
function heard(stream: Readable | null, text: string): Promise<void> {
  let said = ''
  return new Promise((resolve, reject) => {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(text)) resolve()
    })
    stream?.once('close', () => reject(new Error(`ended without saying "${text}": ${said}`)))
  })
}

async function onlyChildOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim())
}
