import { connect, type Socket } from 'node:net'
import test from 'ava'
import type { ChatMessage, Client } from '../../client/index.ts'
import { MoveConsumer } from '../../plugins/consumers/messages.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const NAMES = ['alice', 'carol', 'dave']
const WINDOW = 16
const MOST_A_ROUND = 200
/** Events handled concurrently, at most. */
const HELD = 20

test('while server and consumer are killed in turn, every event is handled, and no acknowledged one again', async (t) => {
  const rounds = times(12, 200)
  t.timeout(rounds * 20_000 + MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t)
  const ledger = new Ledger()
  const senders = NAMES.map((name) => new Sender(name, ledger))
  const handled = new Map<number, number>()
  const acknowledged = new Set<number>()
  let cameAgain = 0

  /** Handles events and acknowledges them out of order, until its connection is lost. */
  const life = async (client: Client, onHandled: () => void = () => {}) => {
    const held: ChatMessage[] = []
    const finish = async (event: ChatMessage) => {
      await client.acknowledgeEvent('robot', event.id)
      acknowledged.add(event.id)
    }
    const finishing: Promise<void>[] = []
    const finishOne = () => {
      const [event] = held.splice(Math.floor(random() * held.length), 1)
      if (event !== undefined) finishing.push(untilLost(finish(event)))
    }
    const reading = (async () => {
      for await (const event of client.events('robot')) {
        if (acknowledged.has(event.id)) cameAgain++
        handled.set(event.id, (handled.get(event.id) ?? 0) + 1)
        held.push(event)
        if (random() < 0.7 || held.length > HELD) finishOne()
        onHandled()
      }
    })()
    await untilLost(reading)
    await Promise.all(finishing)
  }

  const robot = await server.user('bob')
  await robot.request(MoveConsumer, { consumer: 'robot', after: 0 })
  await robot.close()
  for (let round = 1; round <= rounds; round++) {
    let socket: Socket | undefined
    const dial = () => {
      socket = connect(server.port, server.host)
      return socket
    }
    const living = life(await server.user('bob', { server: dial }))
    const clients = await Promise.all(senders.map(({ name }) => server.user(name)))
    const isServersTurn = round % 2 === 0
    const enough = ledger.acknowledged + Math.floor(random() * MOST_A_ROUND)
    const sending = senders.map((sender, index) =>
      untilLost(
        sender.send(clients[index] as Client, {
          window: WINDOW,
          enough: () => !isServersTurn && ledger.acknowledged >= enough,
        }),
      ),
    )
    await ledger.acknowledgements(enough)
    if (isServersTurn) await server.stop('SIGKILL')
    else socket?.destroy()
    await Promise.all([...sending, living])
    await Promise.all(clients.map((client) => client.close()))
    if (isServersTurn) await server.start()
  }

  for (const sender of senders) {
    const client = await server.user(sender.name)
    await sender.sendOpen(client, WINDOW)
    await client.close()
  }
  const witness = await server.user('bob')
  const everything = await storedFor(witness)
  ledger.find(everything)
  const last = await server.user('bob')
  await new Promise<void>((resolve, reject) => {
    const look = () => handled.size >= everything.length && resolve()
    life(last, look).catch(reject)
    look()
  })
  await last.close()
  const again = [...handled.values()].filter((count) => count > 1).length
  t.log(line({ rounds, ...ledger.figures(), handled: handled.size, 'more than once': again }))
  t.like(ledger.figures(), KEPT)
  t.deepEqual(
    everything.filter(({ id }) => !handled.has(id)),
    [],
    'none is skipped',
  )
  t.is(handled.size, everything.length)
  t.is(cameAgain, 0, 'an acknowledged message is not delivered again')
  // Otherwise no request was in flight at the kills.
  t.true(again > 0)
})
