import { type AddressInfo, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { type ChatMessage, connect, OnNewMessage, parseAddress } from '../../client/index.ts'
import { SetUserActive } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { startLocalServer } from '../support/server.ts'
import { openProxy } from '../support/wire/proxy.ts'

test('no plaintext is on the wire, and two runs of one conversation share no bytes', async (t) => {
  const server = await startLocalServer(t)
  const secrets = ['alice', 'bob', 'password', 'Meet me at noon', 'send_message', '!L3s', 'noise-h']
  const record = async () => {
    const proxy = await openProxy(t, server)
    const [alice, bob] = [
      await server.user('alice', { server: proxy.address }),
      await server.user('bob', { server: proxy.address }),
    ]
    await alice.send('bob', 'Meet me at noon', { clientId: `run ${proxy.address}` })
    await bob.inbox()
    await Promise.all([alice.close(), bob.close()])
    return proxy.captured()
  }
  const [first, second] = [await record(), await record()]
  for (const run of [first, second]) {
    for (const side of [run.fromClients, run.fromServer]) {
      t.true(side.length > 300)
      for (const secret of secrets) t.false(side.includes(secret), secret)
    }
  }
  // Searches each sequence of 12 bytes of the first run in the second; the client's magic and first length are equal.
  for (const [one, other, skip] of [
    [first.fromClients, second.fromClients, 10],
    [first.fromServer, second.fromServer, 0],
  ] as const) {
    for (let at = skip; at + 12 <= one.length; at += 12)
      t.false(other.subarray(skip).includes(one.subarray(at, at + 12)))
  }
})

test('after a lost reply the client reconnects and resends, and the message is stored once', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const bob = await server.user('bob')
  const alice = await server.user('alice', { server: proxy.address, reconnect: true })
  const life: string[] = []
  alice.onLife('disconnected', () => life.push('disconnected'))
  alice.onLife('reconnected', () => life.push('reconnected'))
  proxy.loseAnswers(true)
  const sending = [alice.send('bob', 'one'), alice.send('bob', 'two')]
  while ((await bob.inbox()).messages.length < 2) await new Promise((resolve) => setImmediate(resolve))
  proxy.loseAnswers(false)
  proxy.cut()
  const stored = await Promise.all(sending)
  t.deepEqual(
    stored.map(({ repeat }) => repeat),
    [true, true],
  )
  t.deepEqual(
    (await bob.inbox()).messages.map(({ text }) => text),
    ['one', 'two'],
  )
  t.deepEqual(life, ['disconnected', 'reconnected'])
})

test('a listener that loses its connection receives each message once, in order', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const alice = await server.user('alice')
  const bob = await server.user('bob', { server: proxy.address, reconnect: true })
  const heard: string[] = []
  const listening = (async () => {
    for await (const message of bob.messages()) {
      heard.push(message.text)
      if (heard.length % 7 === 0) proxy.cut()
      if (heard.length === 30) return
    }
  })()
  for (let n = 0; n < 30; n++) await alice.send('bob', String(n))
  await listening
  t.deepEqual(
    heard,
    Array.from({ length: 30 }, (_, n) => String(n)),
  )
})

test('a request ends at its time limit or when it is aborted, and the connection stays open', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const alice = await server.user('alice', { server: proxy.address })
  proxy.loseAnswers(true)
  await t.throwsAsync(alice.send('alice', 'hi', { timeout: 50 }), {
    message: /no reply to send_message in time/,
    code: 'timed_out',
  })
  const stop = new AbortController()
  const waiting = alice.send('alice', 'hi', { signal: stop.signal })
  stop.abort()
  await t.throwsAsync(waiting, { code: 'aborted' })
  await t.throwsAsync(alice.send('alice', 'hi', { signal: stop.signal }), { code: 'aborted' })
})

test('requests of a closed client fail with "closed", and its loops end', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const heard: ChatMessage[] = []
  const loop = (async () => {
    for await (const message of alice.messages()) heard.push(message)
  })()
  await alice.inbox()
  await alice.close()
  await loop
  t.deepEqual(heard, [])
  await t.throwsAsync(alice.send('alice', 'hi'), { code: 'closed' })
  await t.notThrowsAsync(alice.close())
})

test('a loop ends when it is aborted', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const stop = new AbortController()
  const loop = (async () => {
    for await (const message of alice.messages({ signal: stop.signal })) t.fail(message.text)
  })()
  await alice.inbox()
  stop.abort()
  await t.notThrowsAsync(loop)
})

test('a stopping server sends the reason; a client with reconnect reconnects', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice', { reconnect: true })
  const reasons: string[] = []
  alice.onLife('disconnected', (error) => reasons.push(error.message))
  const back = new Promise<void>((resolve) => alice.onLife('reconnected', resolve))
  await server.close()
  t.deepEqual(reasons, ['the server is stopping'])
  await startLocalServer(t, { data: server.data, port: server.port })
  await back
  t.deepEqual((await alice.inbox()).messages, [])
})

test('disabling an account ends its sessions, which do not reconnect', async (t) => {
  await using server = await testServer()
  const { client: alice } = await server.user('alice')
  const closed = new Promise<Error>((resolve) => alice.onLife('closed', resolve))
  const operator = await server.operator()
  await operator.request(SetUserActive, { user: 'alice', active: false })
  t.like(await closed, { failure: 'account_disabled' })
  await t.throwsAsync(server.user('alice'), { message: /account is disabled/ })
})

test('pushes are emitted as typed events', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const pushed = new Promise<string>((resolve) => {
    bob.client.on(OnNewMessage, ({ messages }) => resolve(messages[0]?.text ?? ''))
  })
  await alice.says('bob', 'hello')
  t.is(await pushed, 'hello')
})

test('the error of connect() tells an unreachable server from a peer of another protocol', async (t) => {
  await t.throwsAsync(connect({ server: '127.0.0.1:1' }), { code: 'unreachable', message: /nothing listens there/ })
  await t.throwsAsync(connect({ server: { path: './no.sock' } }), { code: 'unreachable', message: /no such socket/ })
  const { createServer } = await import('node:net')
  const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  t.teardown(() => web.close())
  const { port } = web.address() as { port: number }
  await t.throwsAsync(connect({ server: `127.0.0.1:${port}` }), {
    code: 'protocol',
    message: /no chatctl server answers/,
  })
})

test('addresses are parsed', (t) => {
  t.deepEqual(parseAddress('chat.example'), { host: 'chat.example', port: 7300 })
  t.deepEqual(parseAddress('127.0.0.1:80'), { host: '127.0.0.1', port: 80 })
  t.deepEqual(parseAddress('[::1]:80'), { host: '::1', port: 80 })
  t.deepEqual(parseAddress('ws://127.0.0.1:7380'), { url: 'ws://127.0.0.1:7380/chat' })
  t.deepEqual(parseAddress('wss://chat.example/rooms/chat#x'), { url: 'wss://chat.example/rooms/chat' })
  t.throws(() => parseAddress('ws://'), { message: /ws:\/\/HOST:PORT\/chat/ })
  for (const wrong of ['', ':80', 'a:b', 'a:0', 'a:65536', 'http://a', 'a b', '::1'])
    t.throws(() => parseAddress(wrong), { message: /HOST:PORT/ })
})

test('a busy sender loses no message while its connection breaks many times', async (t) => {
  const server = await startLocalServer(t, { limits: { requestBurst: 10_000 } })
  const proxy = await openProxy(t, server)
  const bob = await server.user('bob')
  const alice = await server.user('alice', { server: proxy.address, reconnect: true })
  const closed: Error[] = []
  alice.onLife('closed', (error) => closed.push(error))
  const sending: Promise<unknown>[] = []
  for (let round = 0; round < 3; round++) {
    const back = new Promise<void>((resolve) => {
      const off = alice.onLife('reconnected', () => {
        off()
        resolve()
      })
    })
    for (let n = 0; n < 50; n++) sending.push(alice.send('bob', `${round} ${n}`))
    proxy.cut()
    // More is sent during the reconnect: none of it may precede the login.
    for (let n = 50; n < 100; n++) sending.push(alice.send('bob', `${round} ${n}`))
    await back
  }
  await Promise.all(sending)
  const texts = new Set<string>()
  for (let after = 0, more = true; more; ) {
    const page = await bob.inbox({ after, limit: 100 })
    for (const { text } of page.messages) {
      t.false(texts.has(text), `${text} is there twice`)
      texts.add(text)
    }
    after = page.messages.at(-1)?.id ?? after
    more = page.more
  }
  t.is(texts.size, 300)
  t.deepEqual(closed, [])
})

test('close() during a reconnect ends at once', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice', { reconnect: true })
  const away = new Promise<void>((resolve) => alice.onLife('disconnected', () => resolve()))
  await server.close()
  await away
  await alice.close()
  await t.throwsAsync(alice.send('alice', 'hi'), { code: 'closed' })
})

test('the message at which a loop was left is delivered again in the next loop', async (t) => {
  await using server = await testServer()
  const alice = await server.user('alice')
  const { client: bob } = await server.user('bob')
  for (const text of ['one', 'two', 'three']) await alice.says('bob', text)
  for await (const { text } of bob.messages()) if (text === 'two') break
  const again: string[] = []
  for await (const { text } of bob.messages()) {
    again.push(text)
    if (text === 'three') break
  }
  t.deepEqual(again, ['two', 'three'])
})

test('a time limit holds across garbage collections', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const mute = createServer(() => {})
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  t.teardown(() => mute.close())
  const { port } = mute.address() as AddressInfo
  const { signal } = new AbortController()
  const connecting = connect({ server: `127.0.0.1:${port}`, timeout: 300, signal })
  const collecting = setInterval(collect, 20)
  t.teardown(() => clearInterval(collecting))
  await t.throwsAsync(connecting, { code: 'timed_out' })
})
