import test from 'ava'
import { CreateToken } from '../../client/index.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { EventReader } from '../support/http/events.ts'
import { ask } from '../support/http/http.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const NAMES = ['alice', 'carol', 'dave']
const WINDOW = 16
const MOST_A_ROUND = 200
const PATH = '/v1/events?consumer=robot'

test('while server and reader of a stream are killed in turn, every event comes, and none from before the start', async (t) => {
  const rounds = times(10, 100)
  t.timeout(rounds * 20_000 + MINUTES)
  const random = seeded(t)
  const liftedHttp = { httpRate: 1e6, httpBurst: 1e6, logins: 1e6 }
  const server = await startServerProcess(t, { args: ['--http', '127.0.0.1:0'], limits: liftedHttp })
  const ledger = new Ledger()
  const senders = NAMES.map((name) => new Sender(name, ledger))
  const bob = await server.user('bob')
  const { token } = await bob.request(CreateToken, { name: 'robot', send: false, read: true, manage: false })
  await bob.close()
  const early = await server.user('alice')
  const { id: beforeStart } = await early.send('bob', 'alice 0')
  await early.close()

  const received = new Map<number, number>()
  let [last, outOfOrder, posted, cutByServer] = [0, 0, 0, 0]
  const headers = () => (last === 0 ? {} : { 'Last-Event-ID': String(last) })
  /** Reads until the stream ends, and acknowledges now and then. */
  const life = async (reader: EventReader, onReceived: () => void = () => {}) => {
    for (let event = await reader.next(); event !== undefined; event = await reader.next()) {
      if (event.event === 'resync') t.fail(JSON.stringify(event.data))
      if (event.event !== 'message') continue
      const { id } = event.data
      if (id <= last) outOfOrder++
      last = Math.max(last, id)
      received.set(id, (received.get(id) ?? 0) + 1)
      if (random() < 0.05) posted += await acknowledge(id)
      onReceived()
    }
  }
  const acknowledge = async (id: number): Promise<number> => {
    const request = { method: 'POST', headers: { Authorization: `Bearer ${token}` } }
    try {
      const { status } = await ask(server.http, '/v1/events/ack', {
        ...request,
        body: JSON.stringify({ consumer: 'robot', id }),
      })
      return Number(status === 200)
    } catch (error) {
      // The server was killed.
      if (!/ECONN|hang up/.test(String(error))) throw error
      return 0
    }
  }
  const open = () => EventReader.open(server.http, PATH, { token, headers: headers() })

  for (let round = 1; round <= rounds; round++) {
    const reader = await open()
    t.is(reader.status, 200)
    let [isOver, opened] = [false, reader]
    // The server ends a stream that is not acknowledged: the next request does.
    const living = (async () => {
      await life(reader)
      while (!isOver) {
        cutByServer++
        const next = await open().catch(() => undefined)
        if (next === undefined) return
        opened = next
        await life(next)
      }
    })()
    const clients = await Promise.all(senders.map(({ name }) => server.user(name)))
    const isServersTurn = round % 2 === 0
    const enough = ledger.acknowledged + Math.floor(random() * MOST_A_ROUND)
    const sending = senders.map((sender, index) =>
      untilLost(
        sender.send(clients[index] as (typeof clients)[number], {
          window: WINDOW,
          enough: () => !isServersTurn && ledger.acknowledged >= enough,
        }),
      ),
    )
    await ledger.acknowledgements(enough)
    isOver = true
    if (isServersTurn) await server.stop('SIGKILL')
    else opened.close()
    await Promise.all([...sending, living])
    await Promise.all(clients.map((client) => client.close()))
    if (isServersTurn) await server.start()
  }

  for (const sender of senders) {
    const client = await server.user(sender.name)
    await sender.sendOpen(client, WINDOW)
    await client.close()
  }
  const everything = await storedFor(await server.user('bob'))
  const expected = everything.filter(({ id }) => id > beforeStart)
  ledger.find(expected)
  while (received.size < expected.length) {
    const reader = await open()
    await life(reader, () => received.size >= expected.length && reader.close())
  }
  const again = [...received.values()].filter((count) => count > 1).length
  t.log(line({ rounds, ...ledger.figures(), received: received.size, 'more than once': again, posted, cutByServer }))
  t.like(ledger.figures(), KEPT)
  t.deepEqual(
    expected.filter(({ id }) => !received.has(id)),
    [],
    'none is skipped',
  )
  t.is(received.size, expected.length, 'none from before the start')
  t.is(outOfOrder, 0)
  t.true(posted > 0)
})
