import test from 'ava'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'

const NAMES = ['alice', 'carol', 'dave', 'eve']
const WINDOW = 32

test('on SIGTERM under four senders, every client gets the reason and every acknowledged message is stored', async (t) => {
  const rounds = times(3, 50)
  t.timeout(rounds * 30_000 + MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t)
  const ledger = new Ledger()
  const senders = NAMES.map((name) => new Sender(name, ledger))
  const witness = await server.user('bob')
  await witness.close()
  const ends: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const clients = await Promise.all([...NAMES, 'bob'].map((name) => server.user(name)))
    const told = clients.map((client) => new Promise<Error>((resolve) => client.onLife('closed', resolve)))
    const sending = senders.map((sender, index) =>
      untilLost(sender.send(clients[index] as never, { window: WINDOW, enough: () => false })),
    )
    await ledger.acknowledgements(ledger.acknowledged + 1 + Math.floor(random() * 300))
    const from = performance.now()
    const { code, stderr } = await server.stop('SIGTERM')
    ends.push(performance.now() - from)
    t.is(code, 0, stderr)
    for (const reason of await Promise.all(told)) t.like(reason, { failure: 'shutting_down' })
    await Promise.all(sending)
    await server.start()
    const bob = await server.user('bob')
    ledger.find(await storedFor(bob))
    await bob.close()
    t.like(ledger.figures(), KEPT, `round ${round}`)
  }
  const figures = ledger.figures()
  t.log(line({ rounds, ...figures, 'longest stop, ms': Math.round(Math.max(...ends)) }))
  // A server that finishes requests in flight answers everything that it stored.
  t.is(figures.stored, figures.acknowledged)
})
