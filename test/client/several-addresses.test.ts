import { createServer } from 'node:net'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { connect, parseAddresses } from '../../client/index.ts'
import { aliceAndBob, json, works } from '../cli/alice-and-bob.ts'
import { startLocalServer } from '../support/server.ts'
import { openProxy } from '../support/wire/proxy.ts'

/** Addresses of several servers of one database; here ways to one server. */

/** An address that takes connections and answers nothing. */
async function muteAddress(t: ExecutionContext): Promise<string> {
  const listener = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  t.teardown(() => listener.close())
  return `127.0.0.1:${(listener.address() as { port: number }).port}`
}

/** For each request, in ms: a loaded machine may take longer than the default. */
const PATIENCE = { timeout: 60_000 }

/** An address where nothing listens. */
const DEAD = '127.0.0.1:1'

test('Alice is connected through the first address that answers', async (t) => {
  const server = await startLocalServer(t)
  const alice = await server.user('alice', {
    server: `${DEAD}, ${await muteAddress(t)}, ${server.address}`,
    ...PATIENCE,
  })
  t.false((await alice.send('alice', 'a note')).repeat)
})

test('Alice goes on through the second address when the first one is gone: every message is stored once, in order', async (t) => {
  const server = await startLocalServer(t)
  const bob = await server.user('bob')
  const [first, second] = [await openProxy(t, server), await openProxy(t, server)]
  const alice = await server.user('alice', {
    server: `${first.address},${second.address}`,
    reconnect: true,
    ...PATIENCE,
  })
  await alice.send('bob', '1')
  t.is(second.captured().fromClients.length, 0)
  first.cut()
  await alice.send('bob', '2')
  t.true(second.captured().fromClients.length > 0)
  second.cut()
  await alice.send('bob', '3')
  const heard: string[] = []
  for await (const { text } of bob.messages()) if (heard.push(text) === 3) break
  t.deepEqual(heard, ['1', '2', '3'])
})

test('one address with another key ends the client: its servers have one key', async (t) => {
  const [server, other] = [await startLocalServer(t), await startLocalServer(t)]
  const proxy = await openProxy(t, server)
  const alice = await server.user('alice', {
    server: `${proxy.address},${other.address}`,
    reconnect: true,
    ...PATIENCE,
  })
  const closed = new Promise<string>((resolve) => alice.onLife('closed', ({ code }) => resolve(code)))
  proxy.cut()
  t.is(await closed, 'key_changed')
})

test('when no address answers, the error names them all', async (t) => {
  const error = await t.throwsAsync(connect({ server: `${DEAD},127.0.0.1:2` }), { code: 'unreachable' })
  t.regex(error?.message ?? '', /^no server answers: .*127\.0\.0\.1:1.*; .*127\.0\.0\.1:2/)
})

test('addresses are separated by commas', (t) => {
  t.deepEqual(parseAddresses('a, [::1]:80,ws://c'), [
    { host: 'a', port: 7300 },
    { host: '::1', port: 80 },
    { url: 'ws://c/chat' },
  ])
  t.throws(() => parseAddresses('a,'), { message: /HOST:PORT/ })
})

test('chatctl takes several addresses, and trusts the key that it has verified under one of them', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const servers = `${DEAD},${room.server}`
  const { stderr } = await works(t, shell, [
    'login',
    'alice',
    '--server',
    servers,
    '--password-file',
    'a.pw',
    '--context',
    'both',
  ])
  t.notRegex(stderr, /first contact/)
  const sent = await works(t, shell, ['send', 'bob', 'by the second', '--context', 'both', '-o', 'json'])
  t.like(json(sent), { to: 'bob' })
  t.regex((await shell.run(['login', 'alice', '--server', 'a,,b', '--password-file', 'a.pw'])).stderr, /HOST:PORT/)
})
