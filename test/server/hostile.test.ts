import type { Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { LIMITS } from '../../core/limits.ts'
import { frame, HandshakeState, MAGIC } from '../../core/noise/index.ts'
import { Closing, encode, Ping } from '../../core/wire/index.ts'
import { testServer } from '../../testing/index.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'
import { connectRaw, ended, enter } from '../support/wire/raw-client.ts'

const header = (type: number, formatLength: number, dataLength: number) => {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(type, 0)
  bytes.writeUInt32BE(formatLength, 4)
  bytes.writeUInt32BE(dataLength, 8)
  return bytes
}

/** Checks that Alice and Bob can exchange messages during an act. */
async function undisturbed(t: ExecutionContext, server: LocalServer, attack: () => Promise<unknown>) {
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const heard: number[] = []
  const hearing = (async () => {
    for await (const { id } of bob.messages()) {
      heard.push(id)
      if (heard.length === 20) return
    }
  })()
  const sent: number[] = []
  const attacking = attack()
  for (let n = 0; n < 20; n++) sent.push((await alice.send('bob', `message ${n}`)).id)
  await Promise.all([hearing, attacking])
  t.deepEqual(heard, sent)
}

test('an incomplete handshake is closed at the deadline, without disturbing others', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const [silent, half, almost] = [server.stream(), server.stream(), server.stream()]
  half.write(MAGIC.subarray(0, 5))
  almost.write(Buffer.concat([MAGIC, Buffer.from([0, 32]), Buffer.alloc(31)]))
  const peers = [silent, half, almost]
  await server.clock.advance(LIMITS.handshake.value - 1)
  t.false(peers.some(({ destroyed }) => destroyed))
  await alice.says('bob', 'what are they waiting for?')
  await server.clock.advance(1)
  t.true(peers.every(({ destroyed }) => destroyed))
  await bob.hears('what are they waiting for?')
  await bob.says('alice', 'gone')
  await alice.hears('gone')
})

test('a peer that sends single bytes does not extend its deadline', async (t) => {
  await using server = await testServer()
  const peer = server.stream()
  const hello = Buffer.concat([MAGIC, frame(new HandshakeState({ initiator: true, prologue: MAGIC }).writeMessage())])
  let at = 0
  for (; !peer.destroyed; await server.clock.advance(1000)) peer.write(hello.subarray(at, ++at))
  t.is(at, LIMITS.handshake.value / 1000)
})

test('a connection that does not log in is closed with the reason', async (t) => {
  await using server = await testServer()
  const peer = await enter(server.stream())
  await server.clock.advance(LIMITS.login.value - 1)
  t.deepEqual(peer.heard, [])
  await server.clock.advance(1)
  t.like(peer.heard, [{ values: { name: 'timed_out' } }])
  t.true(peer.socket.destroyed)
})

test('a silent user is pinged, then disconnected', async (t) => {
  await using server = await testServer()
  await server.user('alice')
  const line = server.stream()
  await using bob = await server.connect({ server: line, reconnect: false })
  await bob.register('bob', 'correct horse')
  await bob.login('bob', { password: 'correct horse' })
  // His process ignores everything that it still receives.
  line.pause()
  await server.clock.advance(LIMITS.dead.value)
  t.is(server.status().users, 2)
  // The server checks every second, and allows one more second to deliver the reason.
  await server.clock.advance(2000)
  t.is(server.status().users, 1, 'alice answers when she is asked')
})

test('ten megabytes of zeros are refused at the first byte', async (t) => {
  const server = await startLocalServer(t)
  await undisturbed(t, server, async () => {
    const socket = await connectRaw(server)
    socket.write(Buffer.alloc(10 * 1024 * 1024))
    await ended(socket)
    t.true(socket.bytesRead === 0)
  })
})

test('a first handshake message of another length than 32 is refused at its length', async (t) => {
  const server = await startLocalServer(t)
  for (const length of [0, 16, 31, 33, 65_535]) {
    const socket = await connectRaw(server)
    socket.write(Buffer.concat([MAGIC, Buffer.from([length >> 8, length & 255]), Buffer.alloc(length && 31)]))
    await ended(socket)
    t.is(socket.bytesRead, 0, String(length))
  }
})

test('a modified record is not answered', async (t) => {
  const server = await startLocalServer(t)
  const peer = await enter(server)
  peer.socket.write(Buffer.concat([Buffer.from([0, 32]), Buffer.alloc(32, 7)]))
  await ended(peer.socket)
  t.deepEqual(peer.heard, [])
})

const CUT: readonly (readonly [string, Buffer, string])[] = [
  ['a message of 4 GiB', header(1, 0xff, 0xffffffff), 'too_large'],
  ['a format of 4 GiB', header(1, 0xffffffff, 0), 'too_large'],
  ['a stranger’s message of 5 KiB', header(1, 3, 5000), 'too_large'],
  [
    'a user name sent as a number',
    Buffer.concat([header(2, 3, 8), Buffer.from('!LQ'), Buffer.alloc(8)]),
    'protocol_error',
  ],
  [
    'a format it does not have',
    Buffer.concat([header(1, 8, 8), Buffer.from('!Ld99999'), Buffer.alloc(8)]),
    'protocol_error',
  ],
  [
    'a string beyond the data',
    Buffer.concat([header(1, 8, 8), Buffer.from('!L65535s'), Buffer.alloc(8)]),
    'protocol_error',
  ],
]

for (const [what, bytes, reason] of CUT) {
  test(`${what} closes the connection, without disturbing others`, async (t) => {
    const server = await startLocalServer(t)
    await undisturbed(t, server, async () => {
      const peer = await enter(server)
      peer.say(bytes)
      await ended(peer.socket)
      t.like(peer.heard.at(-1), { type: Closing.type, values: { name: reason } })
    })
  })
}

test('the ninth message before login closes the connection', async (t) => {
  const server = await startLocalServer(t)
  const peer = await enter(server)
  for (let n = 1; n <= 9; n++) peer.say(encode(Ping, n, {}))
  await ended(peer.socket)
  t.is(peer.heard.length, 9)
  t.like(peer.heard.at(-1), { values: { name: 'login_required' } })
})

test('unauthenticated connections are limited in total and by address, without locking users out', async (t) => {
  const server = await startLocalServer(t, { limits: { unauthenticatedPerAddress: 3 } })
  const alice = await server.user('alice')
  const strangers = [await enter(server), await enter(server), await enter(server)]
  const refused = await connectRaw(server)
  await ended(refused)
  t.is(refused.bytesRead, 0)
  await alice.inbox()
  strangers[0]?.socket.destroy()
  await ended(strangers[0]?.socket as Socket)
  // The server notices the end of that connection later: retry until there is room.
  const bob = await (async () => {
    for (;;) {
      try {
        return await server.user('bob')
      } catch (error) {
        if ((error as { code?: string }).code !== 'unreachable') throw error
      }
    }
  })()
  t.truthy(bob)
})

test('many tiny messages at once are answered in order, within bounded memory', async (t) => {
  const server = await startLocalServer(t, { limits: { messagesBeforeLogin: 1e9 } })
  const peer = await enter(server)
  const before = process.memoryUsage().rss
  const pings = Buffer.concat(Array.from({ length: 5000 }, (_, n) => encode(Ping, n + 1, {})))
  for (let times = 0; times < 20; times++) peer.say(pings)
  await new Promise<void>((resolve) => {
    peer.socket.on('data', () => {
      if (peer.heard.length >= 100_000) resolve()
    })
  })
  t.is(peer.heard.length, 100_000)
  t.true(process.memoryUsage().rss - before < 200 * 1024 * 1024)
})

test('a client that stops reading is disconnected; its messages wait in the database', async (t) => {
  const limits = { outboundSoft: 32 * 1024, outboundHard: 128 * 1024, unacknowledged: 1e6 }
  await using server = await testServer({ limits })
  const alice = await server.user('alice')
  const enterAsBob = async (line = server.stream()) => {
    const client = await server.connect({ server: line, reconnect: false })
    await client.login('bob', { password: 'correct horse' })
    return client
  }
  await (await server.connect()).register('bob', 'correct horse')
  const line = server.stream()
  await (await enterAsBob(line)).receive()
  // Bob's process stops reading: his messages queue up.
  const bobs = [...server.server.sessions].find(({ user }) => user.name === 'bob')
  line.pause()
  const text = 'x'.repeat(10_000)
  const count = 150
  await Promise.all(Array.from({ length: count }, () => alice.says('bob', text)))
  await server.clock.advance(LIMITS.outboundStall.value)
  t.true(bobs?.open)
  // The server checks every second: the first check sees progress, the next one none.
  await server.clock.advance(3000)
  t.false(bobs?.open)
  let heard = 0
  for await (const message of (await enterAsBob()).messages()) {
    t.is(message.text, text)
    if (++heard === count) break
  }
  t.is(heard, count)
})
