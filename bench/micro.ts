// `npm run bench:micro`: the parts of the hot path, each alone. See README.md in this folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import pino from 'pino'
import { Output } from '../cli/output/output.ts'
import { openServer } from '../cli/server/assembly.ts'
import { dataPaths } from '../cli/server/paths.ts'
import { connect } from '../client/index.ts'
import { CipherState, openRecord, sealRecords } from '../core/noise/index.ts'
import { decode, encode, type Frame, type Message, MessageSplitter, Ping } from '../core/wire/index.ts'
import { MessageWriter, MSG_TYPE, NO_FILE, openDatabase } from '../db/index.ts'
import { OnNewMessage, SendMessage } from '../plugins/messages/messages.ts'
import { testServer } from '../testing/index.ts'

interface Figure {
  readonly operation: string
  readonly perSecond: number
  readonly microseconds: number
}

const MEASURED_MS = 1000
const WARM_UP_MS = 300
/** Operations per read of the clock, whose cost is not negligible. */
const BATCH = 64
const LIMITS = { message: 1024 * 1024, format: 64 * 1024, values: 32 * 1024 }
const TEXT = 'x'.repeat(64)

const figures: Figure[] = []

function add(operation: string, count: number, ms: number) {
  figures.push({ operation, perSecond: (count / ms) * 1000, microseconds: (ms / count) * 1000 })
  process.stderr.write('.')
}

/** Measures a synchronous operation. Results are summed, so that the compiler cannot eliminate it. */
function time(operation: string, work: () => number) {
  let sum = 0
  const run = (ms: number) => {
    const began = performance.now()
    let count = 0
    let took = 0
    for (; took < ms; took = performance.now() - began, count += BATCH)
      for (let round = 0; round < BATCH; round++) sum += work()
    return { count, took }
  }
  run(WARM_UP_MS)
  const { count, took } = run(MEASURED_MS)
  if (Number.isNaN(sum)) throw new Error(`${operation} returned NaN`)
  add(operation, count, took)
}

/** Measures asynchronous work that performs the operation `times` times. */
async function timeAsync(operation: string, times: number, work: () => Promise<unknown>) {
  const run = async (ms: number) => {
    const began = performance.now()
    let count = 0
    let took = 0
    for (; took < ms; took = performance.now() - began, count += times) await work()
    return { count, took }
  }
  await run(WARM_UP_MS)
  const { count, took } = await run(MEASURED_MS)
  add(operation, count, took)
}

function frameOf(bytes: Buffer): Frame {
  const [frame] = new MessageSplitter(LIMITS).push(bytes)
  if (frame === undefined) throw new Error('not a complete message')
  return frame
}

function codec() {
  const codecOf = <M extends Message>(message: M, values: Parameters<typeof encode<M>>[2]) => {
    const bytes = encode(message, 1, values)
    const frame = frameOf(bytes)
    time(`encode ${message.name}, ${bytes.length} B`, () => encode(message, 1, values).length)
    time(`split ${message.name}`, () => frameOf(bytes).type)
    time(`decode ${message.name}`, () => decode(message, frame, LIMITS.values).ref)
  }
  codecOf(SendMessage, { to: 'bob', text: TEXT, clientId: 'lz0qyh3p0-0000001' })
  const message = { id: 1, kind: 1, from: 'alice', to: 'bob', text: TEXT, sentAt: Date.now(), unread: true }
  codecOf(OnNewMessage, { messages: [message] })
}

function records() {
  const key = Buffer.alloc(32, 1)
  for (const size of [100, 16 * 1024]) {
    const plaintext = Buffer.alloc(size, 2)
    const send = new CipherState(key)
    time(`seal a record of ${size} B`, () => sealRecords(send, plaintext).length)
    const record = sealRecords(new CipherState(key), plaintext).subarray(2)
    const receive = new CipherState(key)
    // A copy of the unused state decrypts with the first nonce each time.
    time(`open a record of ${size} B`, () => openRecord(receive.clone(), record).length)
  }
}

/** A request and its reply through a whole server, over a stream in memory: no socket, no database. */
async function dispatch(folder: string) {
  const data = join(folder, 'room')
  const room = await openServer({ data, log: pino({ level: 'silent' }) })
  try {
    const [ours, theirs] = duplexPair()
    room.server.accept(theirs, { address: 'control', isOperator: true })
    const client = await connect({ server: ours, reconnect: false })
    for (const atOnce of [1, 50])
      await timeAsync(`ping and its reply, ${atOnce} at a time, both ends`, atOnce, () =>
        Promise.all(Array.from({ length: atOnce }, () => client.request(Ping, {}))),
      )
    await client.close()
  } finally {
    await room.close()
  }
  return dataPaths(data).database
}

/** Messages to SQLite, flushed at each commit: 1, 50 or 500 per turn of the event loop. */
async function writer(file: string) {
  const db = await openDatabase(file)
  try {
    const messages = await MessageWriter.open(db, (error) => console.error(error))
    let sent = 0
    const row = () => ({
      user_id: 1,
      target_id: 2,
      msg_type: MSG_TYPE.chat,
      msg: TEXT,
      client_id: `${String(++sent).padStart(9, '0')}`,
      send_time: Date.now(),
      font: '',
      font_size: 0,
      hops: 0,
      color: '',
      reply_to: 0,
      file: NO_FILE,
      checkedUpTo: -1,
    })
    for (const rows of [1, 50, 500])
      await timeAsync(`store a message, ${rows} a turn`, rows, () =>
        Promise.all(Array.from({ length: rows }, () => messages.store(row()))),
      )
    await messages.close()
  } finally {
    await db.destroy()
  }
}

/** A complete test with `chatctl/testing`, without its import: a server, two users, a message each way, the shutdown. */
async function testKit() {
  await timeAsync('a test with two users and a message each way', 1, async () => {
    await using server = await testServer()
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    await alice.says('bob', TEXT)
    await bob.hears(TEXT)
    await bob.says('alice', TEXT)
    await alice.hears(TEXT)
  })
}

const folder = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
try {
  codec()
  records()
  await writer(await dispatch(folder))
  await testKit()
} finally {
  await rm(folder, { recursive: true, force: true })
  process.stderr.write('\n')
}
await new Output('table', undefined).list(figures, [
  { title: 'operation', value: ({ operation }) => operation },
  { title: 'a second', value: ({ perSecond }) => Math.round(perSecond).toLocaleString('en') },
  { title: 'µs each', value: ({ microseconds }) => microseconds.toFixed(2) },
])
