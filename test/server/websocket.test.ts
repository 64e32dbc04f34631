import { once } from 'node:events'
import { Duplex } from 'node:stream'
import test from 'ava'
import type { WebSocket } from 'ws'
import { encode, Ping } from '../../core/index.ts'
import { WebSocketStream } from '../../core/websocket/index.ts'
import { closeCodeOf, type HttpServer, openWebSocket, startHttpServer } from '../support/http/http.ts'
import { ended, enter } from '../support/wire/raw-client.ts'

const opened = async ({ url }: HttpServer): Promise<WebSocket> => {
  const socket = openWebSocket(url)
  await once(socket, 'open')
  return socket
}

/** Alice and Bob, on WebSockets of their own, write to each other. */
async function chat(server: HttpServer): Promise<string | undefined> {
  const [alice, bob] = [
    await server.user('alice', { server: server.webSocket }),
    await server.user('bob', { server: server.webSocket }),
  ]
  await alice.send('bob', 'still here?')
  const { value } = await bob.messages().next()
  await Promise.all([alice.close(), bob.close()])
  return value?.text
}

/** A stream over a WebSocket that sends each byte in a frame of its own, and never resumes a paused one. */
function inSingleBytes(socket: WebSocket): Duplex {
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) socket.send(Buffer.of(byte))
      done()
    },
    destroy(error, done) {
      socket.terminate()
      done(error)
    },
  })
  socket.on('message', (data: Buffer) => stream.push(data))
  socket.on('close', () => stream.destroy())
  return stream
}

test('Alice on a WebSocket and Bob on TCP write to each other', async (t) => {
  const server = await startHttpServer(t)
  const alice = await server.user('alice', { server: server.webSocket })
  const bob = await server.user('bob')
  const [toBob, toAlice] = [bob.messages(), alice.messages()]
  await alice.send('bob', 'from a window')
  await bob.send('alice', 'from a pipe')
  t.like((await toBob.next()).value, { from: 'alice', text: 'from a window' })
  t.like((await toAlice.next()).value, { from: 'bob', text: 'from a pipe' })
  t.is(alice.fingerprint, bob.fingerprint)
  t.like(server.server.status(), { http: server.url, webSockets: 1, httpConnections: 0, connections: 2 })
})

test('the borders of frames mean nothing', async (t) => {
  const server = await startHttpServer(t)
  const stream = inSingleBytes(await opened(server))
  const alice = await server.user('alice', { server: () => stream })
  await alice.send('alice', 'letter by letter')
  t.is((await alice.messages().next()).value?.text, 'letter by letter')
})

test('a message of 200,000 bytes crosses a WebSocket in both directions', async (t) => {
  const server = await startHttpServer(t, { limits: { text: 200_000 } })
  const alice = await server.user('alice', { server: server.webSocket })
  const text = 'x'.repeat(200_000)
  await alice.send('alice', text)
  t.is((await alice.messages().next()).value?.text, text)
})

test('a text frame closes its connection with 1003, and disturbs nobody', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  const code = closeCodeOf(socket)
  socket.send('hello')
  socket.send(Buffer.from('ignored'))
  t.is(await code, 1003)
  t.is(await chat(server), 'still here?')
})

test('a frame above 512 KiB closes its connection with 1009, also before the whole of it was sent', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  const code = closeCodeOf(socket)
  // The first fragment alone is too long: the message never ends.
  socket.send(Buffer.alloc(512 * 1024 + 1), { fin: false })
  t.is(await code, 1009)
  t.is(await chat(server), 'still here?')
})

test('bytes that are no frame close their connection with 1002', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  const code = closeCodeOf(socket)
  // An unmasked frame with an unknown opcode, written below the library.
  const { _socket: raw } = socket as unknown as { _socket: Duplex }
  raw.write(Buffer.from([0x83, 0x01, 0x00]))
  t.is(await code, 1002)
  t.is(await chat(server), 'still here?')
})

test('binary frames that are not the protocol close their connection without an answer', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  socket.on('message', () => t.fail('an answer to garbage'))
  socket.send(Buffer.alloc(4096, 7))
  t.is(await closeCodeOf(socket), 1006)
  t.is(await chat(server), 'still here?')
})

test('pings are answered, and a flood of them disturbs nobody', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  let pongs = 0
  socket.on('pong', () => pongs++)
  for (let n = 0; n < 1000; n++) socket.ping()
  while (pongs === 0) await once(socket, 'pong')
  socket.terminate()
  t.is(await chat(server), 'still here?')
})

test('a WebSocket needs its subprotocol, its path and the upgrade to websocket', async (t) => {
  const server = await startHttpServer(t)
  t.is(await server.status({}), 101)
  t.is(await server.status({}, { protocols: ['chat', 'chatctl.noise.v1'] }), 101)
  for (const protocols of [[], ['chat'], ['chatctl.noise.v2'], ['chatctl.noise.v1x']])
    t.is(await server.status({}, { protocols }), 400, protocols.join())
  t.is(await server.status({}, { path: '/' }), 404)
  t.is(await server.status({}, { path: '/chat/' }), 404)
  t.is(await server.status({}, { path: '/chat?room=1' }), 101)
  t.is(await chat(server), 'still here?')
})

test('no compression is agreed on', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  t.is(socket.extensions, '')
  t.is(socket.protocol, 'chatctl.noise.v1')
  socket.terminate()
})

test('connections before login have the limits of TCP, with which they count together', async (t) => {
  const server = await startHttpServer(t, { limits: { unauthenticatedPerAddress: 3, messagesBeforeLogin: 2 } })
  const first = await opened(server)
  const evicted = closeCodeOf(first)
  const tcp = await enter(server)
  await enter(new WebSocketStream(await opened(server)))
  await enter(new WebSocketStream(await opened(server)))
  t.is(await evicted, 1006)
  t.false(tcp.socket.destroyed)

  const talker = await enter(new WebSocketStream(await opened(server)))
  for (let n = 1; n <= 3; n++) talker.say(encode(Ping, n, {}))
  await ended(talker.socket)
  t.like(talker.heard.at(-1), { values: { name: 'login_required' } })
})

test('a handshake that does not end, and a login that does not come, are cut', async (t) => {
  const server = await startHttpServer(t, { limits: { handshake: 50, login: 50 } })
  t.is(await closeCodeOf(await opened(server)), 1006)
  const peer = await enter(new WebSocketStream(await opened(server)))
  await ended(peer.socket)
  t.like(peer.heard, [{ values: { name: 'timed_out' } }])
})

test('a full server, and an address that connects too fast, are refused before the upgrade', async (t) => {
  const full = await startHttpServer(t, { limits: { connections: 1 } })
  const only = await opened(full)
  t.is(await full.status({}), 503)
  only.terminate()

  const hasty = await startHttpServer(t, { limits: { connectRate: 0.001, connectBurst: 2 } })
  t.is(await hasty.status({}), 101)
  t.is(await hasty.status({}), 101)
  t.is(await hasty.status({}), 503)
})

test('a reader that stops gets what it missed, in order, and delays nobody', async (t) => {
  const limits = { unacknowledged: 1e6, outboundSoft: 64 * 1024, outboundHard: 256 * 1024 }
  const server = await startHttpServer(t, { limits: { ...limits, requestRate: 1e6, requestBurst: 1e6 } })
  const alice = await server.user('alice')
  const socket = await opened(server)
  const bob = await server.user('bob', { server: inSingleBytes(socket) })
  const heard: number[] = []
  const text = 'x'.repeat(16_000)
  const count = 800
  const loop = (async () => {
    for await (const { id } of bob.messages({ acknowledge: false })) {
      heard.push(id)
      if (heard.length === count) return
    }
  })()
  await bob.inbox()
  socket.pause()
  const sent: number[] = []
  // Far more than the system's buffers and the hard limit.
  while (sent.length < count)
    sent.push(...(await Promise.all(Array.from({ length: 32 }, () => alice.send('bob', text)))).map(({ id }) => id))
  t.is(server.server.status().users, 2, 'bob was not cut')
  socket.resume()
  await loop
  t.deepEqual(heard, sent)
})

test('a reader that stops for longer than the limit is cut', async (t) => {
  const limits = { unacknowledged: 1e6, outboundStall: 200, requestRate: 1e6, requestBurst: 1e6 }
  const server = await startHttpServer(t, { limits })
  const alice = await server.user('alice')
  const socket = await opened(server)
  const bob = await server.user('bob', { server: inSingleBytes(socket) })
  const lost = new Promise((resolve) => bob.onLife('closed', resolve))
  await bob.receive()
  socket.pause()
  const text = 'x'.repeat(16_000)
  while (server.server.status().users === 2)
    await Promise.all(Array.from({ length: 32 }, () => alice.send('bob', text)))
  socket.resume()
  t.like(await lost, { code: 'lost' })
})

test('a server that stops tells the peer of a WebSocket why, and closes it', async (t) => {
  const server = await startHttpServer(t)
  const socket = await opened(server)
  const code = closeCodeOf(socket)
  const peer = await enter(new WebSocketStream(socket))
  const stranger = await opened(server)
  const strangersCode = closeCodeOf(stranger)
  await server.close()
  t.like(peer.heard, [{ values: { name: 'shutting_down' } }])
  t.is(await code, 1005)
  t.is(await strangersCode, 1006)
})
