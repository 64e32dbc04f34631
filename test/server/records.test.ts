import { PassThrough } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { RunQueue } from '../../core/flow/run-queue.ts'
import { SYSTEM_CLOCK } from '../../core/index.ts'
import { Inbox } from '../../core/session/inbox.ts'
import { encode, Ping } from '../../core/wire/index.ts'
import { QueryFriendRequests } from '../../plugins/friends/messages.ts'
import { SendMessage } from '../../plugins/messages/messages.ts'
import { testServer } from '../../testing/index.ts'
import { enter, logIn } from '../support/wire/raw-client.ts'

const EMPTY = Buffer.alloc(0)

/** A clock on which opening a record takes a millisecond, and a connection that counts its open records. */
function slowRecords() {
  let now = 0
  const clock = { ...SYSTEM_CLOCK, now: () => now }
  const queue = new RunQueue(clock)
  const connection = () => {
    const stream = new PassThrough()
    stream.resume()
    const state = { stream, opened: 0 }
    const inbox = new Inbox(
      stream,
      { clock, queue },
      {
        open() {
          now++
          state.opened++
          return 0
        },
        accept: () => undefined,
        broken() {},
      },
    )
    return Object.assign(state, { sends: (records: number) => inbox.push(Array(records).fill(EMPTY).values()) })
  }
  return connection
}

test('empty records of one chunk are opened in several turns of the event loop, in which others have their share', async (t) => {
  const connection = slowRecords()
  const [mallory, bob] = [connection(), connection()]
  mallory.sends(1000)
  t.true(mallory.opened < 20)
  t.true(mallory.stream.isPaused())
  bob.sends(1)
  await nextTurn()
  t.is(bob.opened, 1)
  t.true(mallory.opened < 40)
  while (mallory.stream.isPaused()) await nextTurn()
  t.is(mallory.opened, 1000)
})

test('a connection whose share of the turn is used up is not read in that turn', async (t) => {
  const connection = slowRecords()
  const [mallory, bob] = [connection(), connection()]
  mallory.sends(1000)
  bob.sends(1)
  t.is(bob.opened, 0)
  t.true(bob.stream.isPaused())
  while (bob.stream.isPaused()) await nextTurn()
  t.is(bob.opened, 1)
})

test('before login the 101st record that completes no message closes the connection', async (t) => {
  await using server = await testServer()
  const [last, more] = [await enter(server.stream()), await enter(server.stream())]
  last.sayNothing(100)
  last.say(encode(Ping, 1, {}))
  more.sayNothing(101)
  more.say(encode(Ping, 1, {}))
  await server.settled()
  t.like(last.heard, { length: 1, 0: { type: Ping.reply?.type } })
  t.like(more.heard, { length: 1, 0: { values: { name: 'login_required' } } })
})

test('after login a record that completes no message counts as a ping', async (t) => {
  await using server = await testServer({ limits: { signalRate: 1, signalBurst: 5 } })
  const keys = await server.account('alice')
  const peer = await enter(server.stream())
  await logIn(peer, 'alice', { keys, settled: () => server.settled() })
  const before = peer.heard.length
  peer.sayNothing(8)
  peer.say(encode(QueryFriendRequests, 3, {}))
  await server.settled()
  t.is(peer.heard.length, before)
  await server.clock.advance(2000)
  t.is(peer.heard.length, before)
  await server.clock.advance(1000)
  t.is(peer.heard.length, before + 1)
})

test('long messages come in whole, in full records and in pieces of 100 bytes', async (t) => {
  await using server = await testServer({ limits: { text: 64_000 } })
  const keys = await server.account('alice')
  const bob = await server.user('bob')
  const peer = await enter(server.stream())
  await logIn(peer, 'alice', { keys, settled: () => server.settled() })
  peer.say(encode(SendMessage, 3, { to: 'bob', text: 'long'.repeat(16_000) }))
  const bytes = encode(SendMessage, 4, { to: 'bob', text: 'cut'.repeat(16_000) })
  for (let at = 0; at < bytes.length; at += 100) peer.say(bytes.subarray(at, at + 100))
  await bob.hears('long'.repeat(16_000))
  await bob.hears('cut'.repeat(16_000))
  t.pass()
})
