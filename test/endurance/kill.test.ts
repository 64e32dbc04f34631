import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { openListener, Sender, storedFor, untilLost } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'
import { openProxy } from '../support/wire/proxy.ts'

const NAMES = ['alice', 'carol', 'dave', 'eve', 'frank', 'grace', 'heidi', 'ivan']
const WINDOW = 32
const MOST_A_ROUND = 300

test('while the server is killed many times under eight senders, every acknowledged message is stored once, in order', async (t) => {
  const rounds = times(30, 200)
  t.timeout(rounds * 20_000 + MINUTES)
  const random = seeded(t)
  const server = await startServerProcess(t)
  const ledger = new Ledger()
  const senders = NAMES.map((name) => new Sender(name, ledger))
  // Bob's address is stable, while the server behind it restarts on other ports.
  const proxy = await openProxy(t, server, { keep: false })
  const bob = await openListener(server, { server: proxy.address })
  let lastSeen = 0
  for (let round = 1; round <= rounds; round++) {
    const clients = await Promise.all(senders.map(({ name }) => server.user(name)))
    const sending = senders.map((sender, index) =>
      untilLost(sender.send(clients[index] as never, { window: WINDOW, enough: () => false })),
    )
    await ledger.acknowledgements(ledger.acknowledged + Math.floor(random() * MOST_A_ROUND))
    await server.stop('SIGKILL')
    await Promise.all(sending)
    await server.start()
    const witness = await server.user('bob')
    const found = await storedFor(witness, lastSeen)
    await witness.close()
    lastSeen = found.at(-1)?.id ?? lastSeen
    ledger.find(found)
    t.like(ledger.figures(), KEPT, `round ${round}`)
  }
  for (const sender of senders) {
    const client = await server.user(sender.name)
    await sender.sendOpen(client, WINDOW)
    await client.close()
  }
  const witness = await server.user('bob')
  const everything = await storedFor(witness)
  ledger.find(everything)
  const figures = ledger.figures()
  await bob.hear(figures.attempted)
  const unread = await witness.receive()
  const repeats = senders.reduce((sum, sender) => sum + sender.repeats, 0)
  t.log(
    line({
      rounds,
      ...figures,

      repeats,
      'pushed to Bob': bob.pushed(),
    }),
  )
  t.like(figures, { ...KEPT, acknowledged: figures.attempted, stored: figures.attempted })
  t.is(everything.length, figures.attempted)
  t.is(new Set(bob.heard).size, bob.heard.length, 'Bob hears each once')
  t.deepEqual(
    bob.heard,
    everything.map(({ text }) => text),
    'Bob hears all, in the order they are stored',
  )
  t.is(unread, 0)
  // Otherwise no request was in flight at the kills.
  t.true(repeats > 0)
})

/** A file that can be cut. */
const onSqlite = process.env.TEST_DATABASE === undefined ? test : test.skip

onSqlite('control: the check detects a database that has lost its last writes', async (t) => {
  t.timeout(5 * MINUTES)
  const server = await startServerProcess(t)
  const ledger = new Ledger()
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const sender = new Sender('alice', ledger)
  await sender.send(alice, { window: 1, enough: () => ledger.attempted >= 50 })
  await server.stop('SIGKILL')
  const wal = join(server.data, 'chat.db-wal')
  const { size } = await stat(wal)
  const file = await open(wal, 'r+')
  await file.truncate(Math.floor(size * 0.8))
  await file.close()
  await server.start()
  ledger.find(await storedFor(await server.user('bob')))
  t.log(line(ledger.figures()))
  t.true(ledger.figures().lost > 0)
})
