import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Client, CreateRoom, JoinRoom } from '../../client/index.ts'
import { openDatabase } from '../../db/index.ts'
import { canTrace, DiskFile, readTrace, tracedTo } from '../support/endurance/disk-trace.ts'
import { inspect } from '../support/endurance/log-and-index.ts'
import { line, MINUTES, seeded, testWhere, times } from '../support/endurance/rounds.ts'
import { untilLost } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const test = testWhere(canTrace(), 'strace is missing or may not trace: power cuts')

const NAMES = ['alice', 'carol', 'dave', 'eve']
/** Loaded into the server of the control. */
const NORMAL = new URL('../support/endurance/normal-synchronous.js', import.meta.url).href

/** Every second message goes to this group, of which Bob is a member as well. */
const GROUP = 'park'
/** Messages that Bob gets between two that he acknowledges. */
const READ_EVERY = 7

/** What a client knows to be stored once it has received that byte of its connection. */
interface Acknowledgement {
  /** A message. */
  readonly text?: string
  /** Or that Bob has read a conversation up to an id. */
  readonly read?: { readonly name: string; readonly id: number }
  readonly port: number
  readonly offset: number
}

/** Traces a server while four users send to Bob and to a group, and Bob reads; then kills it. */
async function record(t: ExecutionContext, { each, env = {} }: { each: number; env?: Record<string, string> }) {
  const server = await startServerProcess(t)
  for (const name of [...NAMES, 'bob']) {
    const client = await server.user(name)
    if (name === NAMES[0]) await client.request(CreateRoom, { group: GROUP })
    else await client.request(JoinRoom, { group: GROUP })
    await client.close()
  }
  // A stopped server has flushed everything: the trace starts with the current database file.
  await server.stop()
  const folder = server.shell.folder
  await copyFile(join(server.data, 'chat.db'), join(folder, 'before.db'))
  const trace = join(folder, 'trace')
  await server.start({ under: tracedTo(trace), env })
  const acknowledged: Acknowledgement[] = []
  const connected = async (name: string) => {
    const socket = connect(server.port, server.host)
    await once(socket, 'connect')
    const { localPort: port = 0 } = socket
    const client = await server.user(name, { server: socket })
    const knows = (what: Pick<Acknowledgement, 'text' | 'read'>) =>
      acknowledged.push({ ...what, port, offset: socket.bytesRead })
    return { client, knows }
  }
  const bob = await connected('bob')
  const reading = untilLost(read(bob.client, (read) => bob.knows({ read })))
  const sending = NAMES.map(async (name) => {
    const { client, knows } = await connected(name)
    for (let n = 1; n <= each; n++) {
      const text = `${name} ${n}`
      await client.send(n % 2 === 0 ? { group: GROUP } : 'bob', text, { clientId: text })
      // One message in flight: the last byte received is the last one of its acknowledgement.
      knows({ text })
    }
  })
  try {
    await Promise.all(sending)
  } finally {
    // Kills the server, not the tracer, which would leave it running.
    process.kill(server.pid, 'SIGKILL')
  }
  await Promise.all([server.ended(), reading])
  return { folder, database: join(server.data, 'chat.db'), trace, acknowledged }
}

/** Acknowledges some of Bob's messages. Pushes may follow the reply: then it is known later than it was sent. */
async function read(bob: Client, onRead: (read: { name: string; id: number }) => void) {
  let count = 0
  for await (const message of bob.messages({ acknowledge: false })) {
    if (++count % READ_EVERY !== 0) continue
    await bob.acknowledge(message)
    onRead({ name: message.group ?? message.from, id: message.id })
  }
}

/** What the clients know at some point of a trace. */
class Knowledge {
  readonly texts = new Set<string>()
  readonly #read = new Map<string, number>()
  readonly #sent = new Map<number, number>()
  readonly #waiting: Map<number, Acknowledgement[]>

  constructor(acknowledged: readonly Acknowledgement[]) {
    const ports = new Set(acknowledged.map(({ port }) => port))
    this.#waiting = new Map([...ports].map((port) => [port, acknowledged.filter((one) => one.port === port)]))
  }

  /** The server sends some bytes. */
  grow({ port, length }: { port: number; length: number }) {
    const until = (this.#sent.get(port) ?? 0) + length
    this.#sent.set(port, until)
    const waiting = this.#waiting.get(port) ?? []
    while (waiting[0] !== undefined && waiting[0].offset <= until) {
      const { text, read } = waiting.shift() as Acknowledgement
      if (text !== undefined) this.texts.add(text)
      if (read !== undefined) this.#read.set(read.name, Math.max(read.id, this.#read.get(read.name) ?? 0))
    }
  }

  /** Number of messages and of read positions that a database lacks. */
  missingIn({ stored, readUpTo }: Pick<Awaited<ReturnType<typeof inspect>>, 'stored' | 'readUpTo'>) {
    return {
      messages: [...this.texts].filter((text) => !stored.has(text)).length,
      positions: [...this.#read].filter(([name, id]) => (readUpTo.get(name) ?? 0) < id).length,
    }
  }
}

/**
 * Simulates power cuts at random moments, twice each: all unflushed writes are lost, or each unflushed write is kept at
 * random. `cuts` of the moments are acknowledgements, and as many are writes and flushes, which are parts of commits.
 */
async function replay(
  { folder, database, trace, acknowledged }: Awaited<ReturnType<typeof record>>,
  { random, cuts }: { random: () => number; cuts: number },
) {
  const files = new Map([
    [database, new DiskFile(await readFile(join(folder, 'before.db')))],
    [`${database}-wal`, new DiskFile(Buffer.alloc(0))],
  ])
  const changes = await countChanges(trace, files)
  const known = new Knowledge(acknowledged)
  const figures = { 'power cuts': 0, 'with unflushed writes': 0, 'with a loss': 0, 'most messages lost': 0 }
  const wrong = { 'read positions lost': 0, damaged: 0, 'log and index apart': 0 }
  for await (const event of readTrace(trace)) {
    if (event.kind === 'send') known.grow(event)
    else if (files.has(event.path)) files.get(event.path)?.take(event)
    else continue
    if (random() > cuts / (event.kind === 'send' ? acknowledged.length : changes)) continue
    if ([...files.values()].some((file) => file.hasUnflushed)) figures['with unflushed writes']++
    for (const survives of [() => false, () => random() < 0.5]) {
      const found = await powerCut(join(folder, 'cut'), files, survives)
      const { messages, positions } = known.missingIn(found)
      figures['power cuts']++
      if (messages > 0) figures['with a loss']++
      figures['most messages lost'] = Math.max(figures['most messages lost'], messages)
      wrong['read positions lost'] += positions
      if (found.isDamaged) wrong.damaged++
      if (found.isApart) wrong['log and index apart']++
    }
  }
  return { ...figures, ...wrong, acknowledged: known.texts.size }
}

/** Number of writes and flushes of the database in a trace. */
async function countChanges(trace: string, files: ReadonlyMap<string, DiskFile>): Promise<number> {
  let count = 0
  for await (const event of readTrace(trace)) if (event.kind !== 'send' && files.has(event.path)) count++
  return count
}

async function powerCut(folder: string, files: ReadonlyMap<string, DiskFile>, survives: () => boolean) {
  await mkdir(folder)
  const file = join(folder, 'chat.db')
  for (const [path, content] of files)
    await writeFile(path.endsWith('-wal') ? `${file}-wal` : file, content.afterPowerCut(survives))
  const db = await openDatabase(file)
  try {
    return await inspect(db, 'bob')
  } finally {
    await db.destroy()
    await rm(folder, { recursive: true })
  }
}

test('after a power cut at any moment, every acknowledged message and read position is stored', async (t) => {
  t.timeout(times(5, 60) * MINUTES)
  const random = seeded(t)
  const recorded = await record(t, { each: times(100, 1000) })
  const figures = await replay(recorded, { random, cuts: times(100, 1000) })
  t.log(line(figures))
  t.like(figures, {
    'with a loss': 0,
    'read positions lost': 0,
    damaged: 0,
    'log and index apart': 0,
    acknowledged: recorded.acknowledged.filter(({ text }) => text !== undefined).length,
  })
  t.true(figures['power cuts'] >= times(100, 1000))
  // Otherwise no cut was in a commit.
  t.true(figures['with unflushed writes'] > 0)
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
