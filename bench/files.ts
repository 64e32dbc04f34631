// `npm run bench:files`: transfers of files, alone and beside a chat. See README.md in this folder.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Output } from '../cli/output/output.ts'
import { AddFriend, type Client, connect, OnNewMessage } from '../client/index.ts'
import { CipherState, sealRecords } from '../core/noise/index.ts'
import { type BenchServer, startServer } from './server.ts'

const MB = 1_000_000
const FILE_BYTES = 100 * MB
const PIECE = randomBytes(256 * 1024)
const CHATS = 300
/** Pause of a slow reader after each part of 128 KiB. */
const SLOW_MS = 20

interface Figure {
  readonly measured: string
  readonly result: string
  readonly goal: string
}

const figures: Figure[] = []
const add = (measured: string, result: string, goal = '') => {
  figures.push({ measured, result, goal })
  process.stderr.write('.')
}

async function* content() {
  for (let left = FILE_BYTES; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left)
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

const upload = async (client: Client, name: string) => (await client.upload(content(), { name, size: FILE_BYTES })).id

async function download(client: Client, file: number, pauseMs = 0) {
  let bytes = 0
  for await (const part of client.download(file)) {
    bytes += part.length
    if (pauseMs > 0) await sleep(pauseMs)
  }
  if (bytes !== FILE_BYTES) throw new Error(`${bytes} bytes came`)
}

interface Cost {
  readonly seconds: number
  /** CPU time of this process and of the server, milliseconds: on a busy machine more meaningful than the time. */
  readonly own: number
  readonly server: number
}

async function costOf(server: BenchServer, work: () => Promise<unknown>): Promise<Cost> {
  const [before, serverBefore] = [process.cpuUsage(), await server.cpu()]
  const seconds = await secondsOf(work)
  const { user, system } = process.cpuUsage(before)
  return { seconds, own: (user + system) / 1000, server: (await server.cpu()) - serverBefore }
}

const rate = ({ seconds }: Cost) => FILE_BYTES / MB / seconds
const cpu = ({ own, server }: Cost) => `CPU ${own.toFixed(0)} ms here, ${server.toFixed(0)} ms in the server`

/** What encryption alone allows: sealing as many bytes, in this process. */
const seal = async () => {
  const state = new CipherState(Buffer.alloc(32, 1))
  for await (const piece of content()) sealRecords(state, piece)
}

/** Milliseconds from sending to the push at the recipient, one message after another. */
async function chat(from: Client, to: Client, toName: string): Promise<number[]> {
  let heard = () => {}
  const off = to.on(OnNewMessage, () => heard())
  const latencies: number[] = []
  for (let n = 0; n < CHATS; n++) {
    const pushed = new Promise<void>((resolve) => {
      heard = resolve
    })
    const start = performance.now()
    const { id } = await from.send(toName, `message ${n}`)
    await pushed
    latencies.push(performance.now() - start)
    await to.acknowledge({ from: 'carol', id })
    await sleep(5)
  }
  off()
  return latencies.sort((one, other) => one - other)
}

const shown = (sorted: readonly number[]) => {
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1)
  return `p50 ${at(0.5)}, p99 ${at(0.99)} ms`
}

async function measure(server: BenchServer) {
  const enter = async (name: string) => {
    const client = await connect({ server: `127.0.0.1:${server.port}`, leastIterations: 4096 })
    await client.register(name, `password of ${name}`)
    await client.login(name, { password: `password of ${name}` })
    return client
  }
  const people = {
    alice: await enter('alice'),
    bob: await enter('bob'),
    carol: await enter('carol'),
    dave: await enter('dave'),
  }
  const { alice, bob, carol, dave } = people
  for (const [client, name] of [
    [alice, 'bob'],
    [bob, 'alice'],
    [carol, 'dave'],
    [dave, 'carol'],
  ] as const)
    await client.request(AddFriend, { user: name })
  await dave.receive()
  const alone = await costOf(server, seal)
  add('AES-256-GCM alone', `${rate(alone).toFixed(0)} MB/s; ${cpu(alone)}`)
  const transferred = async (what: string, work: () => Promise<unknown>) => {
    const cost = await costOf(server, work)
    const share = ((rate(cost) / rate(alone)) * 100).toFixed(0)
    add(what, `${rate(cost).toFixed(0)} MB/s, ${share} % of that; ${cpu(cost)}`, '60 %')
  }
  let file = 0
  await transferred('upload of 100 MB', async () => {
    file = await upload(alice, 'first')
  })
  await transferred('download of 100 MB', () => download(alice, file))
  add('chat alone', shown(await chat(carol, dave, 'dave')))
  const before = await server.memory()
  let highest = before
  const watch = setInterval(
    () =>
      void server.memory().then((bytes) => {
        highest = Math.max(highest, bytes)
      }),
    50,
  )
  await alice.send('bob', '', { file })
  let isOver = false
  const beside = [
    download(bob, file, SLOW_MS),
    (async () => {
      for (let n = 0; !isOver; n++) await alice.deleteFile(await upload(alice, `more ${n}`))
    })(),
  ]
  add('chat beside a slow download and an upload', shown(await chat(carol, dave, 'dave')), 'p99 200 ms')
  isOver = true
  await Promise.all(beside)
  clearInterval(watch)
  add('memory of the server, in addition', `${((highest - before) / MB).toFixed(1)} MB`, '20 MB')
  for (const client of Object.values(people)) await client.close()
}

const data = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
try {
  const server = await startServer({ data })
  try {
    await measure(server)
  } finally {
    await server.stop()
  }
} finally {
  await rm(data, { recursive: true })
}
process.stderr.write('\n')
await new Output(process.argv.includes('--json') ? 'json' : 'table', undefined).list(figures, [
  { title: 'measured', value: ({ measured }) => measured },
  { title: 'result', value: ({ result }) => result },
  { title: 'goal', value: ({ goal }) => goal },
])
