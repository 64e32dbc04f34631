import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { seal } from '../../plugins/legacy/frame.ts'
import { type Pace, PacedOutbox } from '../../plugins/legacy/outbox.ts'
import {
  dialOriginalClient,
  encrypt,
  openOriginalClient,
  packFrame,
} from '../support/original-client/original-client.ts'
import { openShell } from '../support/processes/shell.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const LEGACY = { legacy: { host: '127.0.0.1', port: 0 } }

async function enter(t: ExecutionContext, server: Awaited<ReturnType<typeof startLocalServer>>, name: string) {
  await server.user(name)
  const client = await openOriginalClient(t, server)
  t.is(await client.login(name, `${name}'s password`), name)
  await client.lists()
  return client
}

test('a protocol error ends its own connection only', async (t) => {
  const server = await startLocalServer(t, LEGACY)
  const alice = await enter(t, server, 'alice')
  const oversized = Buffer.alloc(16)
  oversized.writeUInt32BE(11, 0)
  oversized.writeUInt32BE(0xffffffff, 8)
  const nonsense: [what: string, bytes: string | Buffer][] = [
    ['junk', 'hello!!!'],
    ['another protocol', 'GET / HTTP/1.1\r\n\r\n'],
    ['a length of 4 GiB', encrypt(oversized)],
    ['a stranger’s 8 KiB', packFrame(1, 'x'.repeat(8192), 'y')],
    ['numbers for texts', seal(1, 'LL', Buffer.alloc(16, 1))],
    ['too few values', packFrame(1, 'alice')],
    ['no UTF-8', seal(1, '2s2s', Buffer.from([0xff, 0xfe, 0x61, 0x61]))],
    ['a request before the login', packFrame(7, 'alice')],
    ['a type of the server', packFrame(100, 'alice')],
  ]
  for (const [what, bytes] of nonsense) {
    const client = await openOriginalClient(t, server)
    client.socket.write(bytes)
    await client.end()
    t.pass(what)
  }
  for (const [what, bytes] of [
    ['too few values', packFrame(11, 'now', 'bob')],
    ['a number for a text', seal(11, 'LLLL', Buffer.alloc(32, 1))],
    ['junk', 'zz'],
  ] as const) {
    const client = await openOriginalClient(t, server)
    t.is(await client.login('alice', "alice's password"), 'alice', what)
    await client.lists()
    client.socket.write(bytes)
    await client.end()
  }
  // Known types that clients may not send here.
  for (const type of [0, 3, 44, 198, 4_000_000_000]) alice.send(type, 'x')
  alice.send(23, 'x'.repeat(4000))
  t.deepEqual(await alice.lists(), ['no friend', 'no chatroom'])
})

test('password guesses have the limits of new clients, counted together with theirs', async (t) => {
  const server = await startLocalServer(t, { ...LEGACY, limits: { loginFailures: 3 } })
  await server.user('alice')
  for (const password of ['one', 'two', 'three', "alice's password"]) {
    const client = await openOriginalClient(t, server)
    t.is(await client.login('alice', password), undefined, password)
  }
  const native = await server.connect()
  t.is(await refusal(t, native.login('alice', { password: "alice's password" })), 'too_many_attempts')
})

test('unauthenticated old and new clients count together; beyond the limit an idle one is evicted', async (t) => {
  const server = await startLocalServer(t, { ...LEGACY, limits: { unauthenticatedPerAddress: 2, login: 60_000 } })
  const idle = await Promise.all([openOriginalClient(t, server), openOriginalClient(t, server)])
  const native = await server.connect()
  // An old client was evicted: two connections are allowed, and the new one is in.
  while (server.server.status().connections > 2) await nextTurn()
  await native.register('carol', 'correct horse')
  for (const client of idle) client.socket.destroy()
  await native.close()
  // The server may notice the end later than the clients.
  while (server.server.status().connections > 0) await nextTurn()
  await enter(t, server, 'alice')
})

test('the limit of sessions of a user counts both kinds of client', async (t) => {
  const server = await startLocalServer(t, { ...LEGACY, limits: { sessionsPerUser: 1 } })
  await server.user('alice')
  t.is(await (await openOriginalClient(t, server)).login('alice', "alice's password"), undefined)
})

test('a flooding client is slowed down, and refused beyond the limit', async (t) => {
  const server = await startLocalServer(t, {
    ...LEGACY,
    limits: { requestRate: 5, requestBurst: 10, requestPause: 0 },
    pluginOptions: { legacy: { dialogPause: 0 } },
  })
  const alice = await enter(t, server, 'alice')
  await server.user('bob')
  for (let n = 0; n < 30; n++) alice.say('bob', 'x')
  t.regex((await alice.hears(141))[0] ?? '', /too many requests/)
})

test('a server with closed registration registers no account, and names and hashes are validated', async (t) => {
  const server = await startLocalServer(t, LEGACY)
  for (const [name, nick] of [
    ['x y', 'nick'],
    ['', 'nick'],
    ['小鹰', 'nick'],
    ['x', 'n'.repeat(65)],
  ] as const)
    t.is(await (await openOriginalClient(t, server)).register(name, 'password', nick), 203, name)
  const bare = await openOriginalClient(t, server)
  const answer = once(bare.socket, 'data')
  bare.send(2, 'alice', 'a password that is no hash', 'Alice')
  t.is(((await answer)[0] as Buffer).readUInt32BE(), 203)
  const closed = await startLocalServer(t, {
    ...LEGACY,
    pluginOptions: { registration: { open: false, iterations: 4096 } },
  })
  t.is(await (await openOriginalClient(t, closed)).register('alice', 'password', 'Alice'), 203)
})

test('a kicked user gets the reason; a stopping server closes old clients too', async (t) => {
  const server = await startLocalServer(t, LEGACY)
  const alice = await enter(t, server, 'alice')
  const bob = await enter(t, server, 'bob')
  const { KickUser } = await import('../../plugins/admin/messages.ts')
  const operator = await server.operator()
  await operator.request(KickUser, { user: 'alice' })
  t.deepEqual(await alice.hears(141), ['an admin ended the session'])
  await alice.end()
  await operator.close()
  await server.close()
  t.deepEqual(await bob.hears(141), ['the server is stopping'])
  await bob.end()
})

test('a backlog larger than the outbound limit of a connection arrives completely and in order', async (t) => {
  const server = await startLocalServer(t, {
    ...LEGACY,
    limits: { outboundHard: 200_000, outboundSoft: 20_000 },
    pluginOptions: { legacy: { spacing: 10 } },
  })
  const bob = await enter(t, server, 'bob')
  const alice = await server.user('alice')
  // Encoded as digits this is twice the hard limit: only the database can hold it.
  const texts = Array.from({ length: 40 }, (_, n) => `${n} ${'x'.repeat(5000)}`)
  for (const text of texts) await alice.send('bob', text)
  await bob.hears(105)
  let heard = ''
  for (let parts = 0; parts < 3 * texts.length; parts++) heard += ((await bob.hears(121))[2] ?? '').slice(0, -1)
  t.is(heard, texts.join(''))
})

/** The frames that an outbox writes, with the times of writing. `onFirst` is called after the first one. */
async function paced(
  pace: Pace,
  act: (outbox: PacedOutbox) => void,
  count: number,
  onFirst: (outbox: PacedOutbox) => void = () => {},
) {
  const written: { text: string; at: number }[] = []
  let wake = () => {}
  const socket = {
    writableLength: 0,
    write(frame: Buffer, done: () => void) {
      written.push({ text: String(frame), at: performance.now() })
      setImmediate(done)
      if (written.length === 1) setImmediate(onFirst, outbox)
      wake()
    },
  }
  const outbox = new PacedOutbox(socket as never, pace, () => {})
  act(outbox)
  while (written.length < count)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  outbox.stop()
  return written
}

test('frames leave in order, at least the pace apart', async (t) => {
  const written = await paced(
    { spacing: 20, dialogPause: 60 },
    (outbox) => {
      outbox.first(Buffer.from('logged in'))
      outbox.dialog(Buffer.from('dialog'))
      outbox.dialog(Buffer.from('dialog'))
      outbox.message(Buffer.from('message 1'), '1')
      outbox.message(Buffer.from('message 2'), '2')
      outbox.message(Buffer.from('message 3'), '3')
      outbox.retract('2')
      outbox.list(Buffer.from('list, old'))
      outbox.list(Buffer.from('list, new'))
      outbox.answer(Buffer.from('answer'))
      outbox.start()
    },
    6,
  )
  const texts = ['logged in', 'list, new', 'answer', 'message 1', 'message 3', 'dialog']
  t.deepEqual(
    written.map(({ text }) => text),
    texts,
  )
  const gaps = written.slice(1).map(({ at }, index) => at - (written[index]?.at ?? 0))
  // System timers may fire 1 ms early.
  t.true(Math.min(...gaps) >= 19, gaps.join(' '))
})

test('behind a dialog one frame is sent per pause; a question holds all frames until its answer', async (t) => {
  const pace = { spacing: 10, dialogPause: 50 }
  const behind = await paced(
    pace,
    (outbox) => {
      outbox.start()
      outbox.dialog(Buffer.from('dialog'))
      for (const text of ['1', '2', '3']) outbox.message(Buffer.from(text), text)
      outbox.dialog(Buffer.from('another'))
    },
    5,
  )
  t.deepEqual(
    behind.map(({ text }) => text),
    ['dialog', '1', '2', '3', 'another'],
  )
  const [dialog, one, two] = behind.map(({ at }) => at) as [number, number, number]
  t.true(one - dialog >= 49 && two - one >= 49)

  const asked = await paced(
    pace,
    (outbox) => {
      outbox.start()
      outbox.question(Buffer.from('question'), 'q')
      outbox.message(Buffer.from('message'), 'm')
      outbox.question(Buffer.from('second'), 's')
    },
    3,
    // From the question on, which may be written late on a loaded machine.
    (outbox) => setTimeout(() => outbox.answered(), 100),
  )
  t.deepEqual(
    asked.map(({ text }) => text),
    ['question', 'message', 'second'],
  )
  t.true((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0) >= 99)
})

test('chatctl serve --legacy admits an old client, logs a warning and counts it in status', async (t) => {
  const shell = await openShell(t)
  const server = await shell.serve(['--legacy', '0'])
  const { legacy } = server.listening as { legacy: string }
  t.regex(legacy, /^127\.0\.0\.1:\d+$/)
  const first = await dialOriginalClient(t, legacy)
  t.is(await first.register('alice', 'a password', '小鹰'), 101)
  const alice = await dialOriginalClient(t, legacy)
  t.is(await alice.login('alice', 'a password'), '小鹰')
  const { stdout } = await shell.run(['status', '--data', './room', '-o', 'json'])
  t.like(JSON.parse(stdout), { legacy, legacyConnections: 1, legacyLogins: 1, users: 1 })
  // The operator creates accounts for both kinds of client.
  await shell.run(['users', 'create', 'ci', '--data', './room', '--password-file', '-'], { input: 'secret\n' })
  t.is(await (await dialOriginalClient(t, legacy)).login('ci', 'secret'), 'ci')
  const ran = await server.stop()
  t.is(ran.code, 0)
  t.regex(ran.stdout, /a key that is not secret/)
})

test('--legacy takes a port or an address, and an invalid value is refused with the reason', async (t) => {
  const shell = await openShell(t)
  for (const wrong of ['x', '70000', 'host:', ':1:2']) {
    const { code, stderr } = await shell.run(['serve', '--data', './room', '--port', '0', '--legacy', wrong])
    t.is(code, 2, wrong)
    t.regex(stderr, /legacy: is \[HOST:\]PORT \(from flag --legacy\)/)
  }
  const off = await shell.run(['serve', '--data', './room', '--legacy', '0.0.0.0:0', '--limits', 'off'])
  t.is(off.code, 2)
  t.regex(off.stderr, /0\.0\.0\.0 is not/)
  const server = await shell.serve(['--legacy', '[::1]:0'])
  const taken = String(server.listening.legacy).replace(/.*:/, '')
  const clash = await shell.run(['serve', '--data', './other', '--port', '0', '--legacy', `[::1]:${taken}`])
  t.is(clash.code, 1)
  t.regex(clash.stderr, /original clients on ::1:\d+: the address is in use/)
  const others = [
    'groups',
    'contacts',
    'hooks',
    'schedule',
    'typing',
    'streams',
    'mcp',
    'edits',
    'reactions',
    'files',
    'api',
    'incoming',
  ]
  const without = others.flatMap((name) => ['--without', name])
  const needs = await shell.run(['serve', '--data', './third', '--port', '0', '--legacy', '0', ...without])
  t.regex(needs.stderr, /legacy needs groups/)
  const socket = connect(Number(taken), '::1')
  await once(socket, 'connect')
  socket.destroy()
})
