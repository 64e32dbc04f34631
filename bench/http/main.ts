// `npm run bench:http`: messages by HTTP, and events to many readers. See README.md in the folder above.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Output } from '../../cli/output/output.ts'
import { RATES_OFF } from '../../plugins/built-in-limits.ts'
import { ChatroomMessage, CreateRoom, JoinRoom } from '../../plugins/groups/messages.ts'
import { CreateToken } from '../../plugins/tokens/messages.ts'
import { each } from '../load/each.ts'
import { LoadUser } from '../load/user.ts'
import { type BenchServer, PINNED, pin, startServer } from '../server.ts'
import { LoadConnection, occurrences } from './connection.ts'

const [WARM_UP_MS, MEASURED_MS] = [2000, 5000]
const SENDERS = 32
const [MEMBERS, READERS_PER_MEMBER] = [100, 10]
/** Messages to the group in flight. */
const WINDOW = 32
const GOALS = { messages: 5000, events: 50_000 }

const stopping = new AbortController()
const LIMITS = { ...RATES_OFF, connections: 100_000, httpConnections: 100_000, sessionsPerUser: READERS_PER_MEMBER + 5 }

interface Figure {
  readonly measured: string
  readonly perSecond: number
  /** Per second of CPU time of the server: what one core does if nothing else runs on it. */
  readonly perCpuSecond: number
  readonly goal: number
}

async function measured(name: string, server: BenchServer, count: () => number, goal: number): Promise<Figure> {
  await sleep(WARM_UP_MS)
  const [began, cpu, before] = [performance.now(), await server.cpu(), count()]
  await sleep(MEASURED_MS)
  const [seconds, used] = [(performance.now() - began) / 1000, ((await server.cpu()) - cpu) / 1000]
  const done = count() - before
  return { measured: name, perSecond: Math.round(done / seconds), perCpuSecond: Math.round(done / used), goal }
}

const enter = (server: BenchServer, name: string): Promise<LoadUser> =>
  LoadUser.register({ host: '127.0.0.1', port: server.port }, name, stopping.signal)

async function messages(server: BenchServer): Promise<Figure> {
  const user = await enter(server, 'writer')
  const { token } = await user.request(CreateToken, { name: 'bench', send: true, read: false, manage: false })
  let [stored, isOver] = [0, false]
  const body = JSON.stringify({ to: 'writer', text: 'x'.repeat(100) })
  const connections = await Promise.all(Array.from({ length: SENDERS }, () => LoadConnection.open(server.http ?? '')))
  for (const connection of connections) {
    const send = () => connection.send('POST', '/v1/messages', token, body)
    connection.onText((text) => {
      if (!text.startsWith('HTTP/1.1 201')) throw new Error(text)
      stored++
      if (!isOver) send()
    })
    send()
  }
  const figure = await measured(`POST /v1/messages, ${SENDERS} connections`, server, () => stored, GOALS.messages)
  isOver = true
  for (const connection of connections) connection.end()
  user.end()
  return figure
}

async function events(server: BenchServer): Promise<Figure> {
  let received = 0
  const owner = await enter(server, 'member0')
  await owner.request(CreateRoom, { group: 'bench' })
  const readers: LoadConnection[] = []
  const open = async (index: number) => {
    const user = index === 0 ? owner : await enter(server, `member${index}`)
    if (index > 0) await user.request(JoinRoom, { group: 'bench' })
    const { token } = await user.request(CreateToken, { name: 'bench', send: false, read: true, manage: false })
    for (let number = 0; number < READERS_PER_MEMBER; number++) {
      const reader = await LoadConnection.open(server.http ?? '')
      readers.push(reader)
      await new Promise<void>((ready) => {
        reader.onText((text) => {
          received += occurrences(text, '\ndata: {"id"')
          if (text.includes('event: ready')) ready()
        })
        reader.send('GET', `/v1/events?consumer=c${number}&ack=sent`, token)
      })
    }
  }
  await open(0)
  const others = Array.from({ length: MEMBERS - 1 }, (_, index) => index + 1)
  await each(others, open)
  const sender = await enter(server, 'sender')
  await sender.request(JoinRoom, { group: 'bench' })
  let isOver = false
  const perMessage = readers.length
  let sent = 0
  const send = async () => {
    while (!isOver) {
      // Closed loop: readers lag behind by a window at most.
      if (sent * perMessage - received > WINDOW * perMessage) await sleep(1)
      else {
        sent++
        await sender.request(ChatroomMessage, { group: 'bench', text: 'x'.repeat(100) })
      }
    }
  }
  const sending = Array.from({ length: WINDOW }, send)
  const figure = await measured(`events to ${perMessage} readers of a group`, server, () => received, GOALS.events)
  isOver = true
  await Promise.all(sending)
  for (const reader of readers) reader.end()
  return figure
}

const figures: Figure[] = []
if (PINNED) pin(process.pid, 1)
const wanted = process.argv.includes('--events') ? [events] : [messages, events]
for (const measure of wanted) {
  const data = await mkdtemp(join(process.env.TMPDIR ?? tmpdir(), 'chatctl-bench-'))
  const server = await startServer({ data, http: 0, limits: LIMITS })
  try {
    figures.push(await measure(server))
  } finally {
    stopping.signal.throwIfAborted()
    await server.kill()
    await rm(data, { recursive: true, force: true })
  }
}
stopping.abort()
await new Output(process.argv.includes('--json') ? 'json' : 'table', undefined).list(figures, [
  { title: 'measured', value: ({ measured }) => measured },
  { title: 'per second', value: ({ perSecond }) => perSecond },
  { title: 'per CPU second', value: ({ perCpuSecond }) => perCpuSecond },
  { title: 'goal', value: ({ goal }) => goal },
])
