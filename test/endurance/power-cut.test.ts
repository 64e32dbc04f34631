import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import Database from 'better-sqlite3'
import { canTrace, DiskFile, readTrace, tracedTo } from '../support/endurance/disk-trace.ts'
import { line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const test = testWhere(canTrace(), 'strace is missing or may not trace: power cuts')

const NAMES = ['alice', 'carol', 'dave', 'eve']
/** Loaded into the server of the control. */
const NORMAL = new URL('../support/endurance/normal-synchronous.js', import.meta.url).href

/** A message that its sender knows to be stored once it has received that byte of its connection. */
interface Acknowledgement {
  readonly text: string
  readonly port: number
  readonly offset: number
}

/** Traces a server while four users send to Bob, then kills it. */
async function record(t: ExecutionContext, { each, env = {} }: { each: number; env?: Record<string, string> }) {
  const server = await startServerProcess(t)
  for (const name of [...NAMES, 'bob']) await (await server.user(name)).close()
  // A stopped server has flushed everything: the trace starts with the current database file.
  await server.stop()
  const folder = server.shell.folder
  await copyFile(join(server.data, 'chat.db'), join(folder, 'before.db'))
  const trace = join(folder, 'trace')
  await server.start({ under: tracedTo(trace), env })
  const acknowledged: Acknowledgement[] = []
  const sending = NAMES.map(async (name) => {
    const socket = connect(server.port, server.host)
    await once(socket, 'connect')
    const { localPort: port = 0 } = socket
    const client = await server.user(name, { server: socket })
    for (let n = 1; n <= each; n++) {
      const text = `${name} ${n}`
      await client.send('bob', text, { clientId: text })
      // One message in flight: the last byte received is the last one of its acknowledgement.
      acknowledged.push({ text, port, offset: socket.bytesRead })
    }
  })
  try {
    await Promise.all(sending)
  } finally {
    // Kills the server, not the tracer, which would leave it running.
    process.kill(server.pid, 'SIGKILL')
  }
  await server.ended()
  return { folder, database: join(server.data, 'chat.db'), trace, acknowledged }
}

/**
 * Simulates power cuts at random acknowledgements, twice each: all unflushed writes are lost, or each unflushed write is
 * kept at random. Opens the remaining database and counts missing messages.
 */
async function replay(
  { folder, database, trace, acknowledged }: Awaited<ReturnType<typeof record>>,
  { random, cuts }: { random: () => number; cuts: number },
) {
  const files = new Map([
    [database, new DiskFile(await readFile(join(folder, 'before.db')))],
    [`${database}-wal`, new DiskFile(Buffer.alloc(0))],
  ])
  const sent = new Map<number, number>()
  const known = new Set<string>()
  const ports = new Set(acknowledged.map(({ port }) => port))
  const byPort = new Map([...ports].map((port) => [port, acknowledged.filter((one) => one.port === port)]))
  const figures = { 'power cuts': 0, 'with a loss': 0, 'most messages lost': 0, damaged: 0, 'log and index apart': 0 }
  for await (const event of readTrace(trace)) {
    if (event.kind !== 'send') {
      files.get(event.path)?.take(event)
      continue
    }
    const until = (sent.get(event.port) ?? 0) + event.length
    sent.set(event.port, until)
    const waiting = byPort.get(event.port) ?? []
    while (waiting[0] !== undefined && waiting[0].offset <= until) known.add(waiting.shift()?.text ?? '')
    if (random() > cuts / acknowledged.length) continue
    for (const survives of [() => false, () => random() < 0.5]) {
      const { damaged, apart, stored } = await powerCut(join(folder, 'cut'), files, survives)
      const lost = [...known].filter((text) => !stored.has(text)).length
      figures['power cuts']++
      if (lost > 0) figures['with a loss']++
      if (damaged) figures.damaged++
      if (apart) figures['log and index apart']++
      figures['most messages lost'] = Math.max(figures['most messages lost'], lost)
    }
  }
  return { ...figures, acknowledged: known.size }
}

/** Private messages in the table and in the index by conversation; the highest number in use and that of the head. */
const LOG_AND_INDEX = `select
  (select count(*) from chatmsg not indexed where msg_type in (1, 2)),
  (select count(*) from correspondence as c join chatmsg as m indexed by chatmsg_lane
   on m.target_id = c.reader_id and m.lane = c.writer_id and m.seq is null),
  max((select coalesce(max(id), 0) from chatmsg), (select coalesce(max(id), 0) from change_log)),
  (select last from head)`

async function powerCut(folder: string, files: ReadonlyMap<string, DiskFile>, survives: () => boolean) {
  await mkdir(folder)
  const file = join(folder, 'chat.db')
  for (const [path, content] of files)
    await writeFile(path.endsWith('-wal') ? `${file}-wal` : file, content.afterPowerCut(survives))
  const db = new Database(file)
  try {
    const damaged = db.pragma('integrity_check', { simple: true }) !== 'ok'
    const [inLog, inConversations, last, head] = db.prepare(LOG_AND_INDEX).raw().get() as number[]
    const apart = inLog !== inConversations || last !== head
    return { damaged, apart, stored: new Set(db.prepare('select client_id from chatmsg').pluck().all()) }
  } finally {
    db.close()
    await rm(folder, { recursive: true })
  }
}

test('after a power cut at any acknowledgement, every acknowledged message is stored', async (t) => {
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const recorded = await record(t, { each: times(100, 1000) })
  const figures = await replay(recorded, { random, cuts: times(100, 1000) })
  t.log(line(figures))
  t.like(figures, {
    'with a loss': 0,
    damaged: 0,
    'log and index apart': 0,
    acknowledged: recorded.acknowledged.length,
  })
  t.true(figures['power cuts'] >= times(100, 1000))
})

test('control: with synchronous=NORMAL the same power cuts lose messages', async (t) => {
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const recorded = await record(t, { each: times(50, 500), env: { NODE_OPTIONS: `--import ${NORMAL}` } })
  const figures = await replay(recorded, { random, cuts: times(50, 500) })
  t.log(line(figures))
  t.true(figures['with a loss'] > 0)
  t.like(figures, { damaged: 0, 'log and index apart': 0 })
})
