import { randomBytes } from 'node:crypto'
import { Duplex, duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import {
  type App,
  clientMessage,
  definePlugin,
  encode,
  type FailureName,
  type Limits,
  line,
  Refused,
  type Session,
  serverMessage,
  type Transport,
  type TransportSession,
} from '../../core/index.ts'
import { GeneralFailure } from '../../core/wire/index.ts'
import { QueryContacts } from '../../plugins/contacts/messages.ts'
import { type TestServer, testServer } from '../../testing/index.ts'
import { enter } from '../support/wire/raw-client.ts'

const Answer = serverMessage({ type: 1001, name: 'answer', about: '', fields: { text: line('') } })
const Ask = clientMessage({
  type: 1000,
  name: 'ask',
  about: '',
  allow: 'any',
  fields: { text: line('') },
  reply: Answer,
})

const ALICE = { id: 7, name: 'alice', nickname: 'Alice', role: 'user' } as const

/** A transport whose handshake ends when the test says so. */
class SlowHandshake implements Transport {
  readonly hasHandshake = true
  readonly queued = 0
  readonly ends: FailureName[] = []
  session: TransportSession | undefined

  start(session: TransportSession) {
    this.session = session
  }

  push() {}

  end(reason: FailureName) {
    this.ends.push(reason)
  }
}

async function serverWithApp(
  t: ExecutionContext,
  limits: Partial<Limits> = {},
  answer: (text: string) => { text: string } | Promise<never> = (text) => ({ text }),
) {
  let app: App | undefined
  const plugin = definePlugin({
    name: 'door',
    messages: { Ask, Answer },
    setup(own) {
      app = own
      own.handle(Ask, (_session, { text }) => answer(text))
    },
  })
  const server = await testServer({ plugins: [plugin], limits })
  t.teardown(() => server.dispose())
  return { server, app: app as App }
}

function admitted(t: ExecutionContext, app: App, address: string): SlowHandshake {
  const transport = new SlowHandshake()
  const session = app.admit(transport, address)
  t.teardown(() => session?.gone())
  return transport
}

test('a session that was evicted during its handshake stays closed when the handshake ends', async (t) => {
  const { app } = await serverWithApp(t, { unauthenticatedPerAddress: 1 })
  const first = admitted(t, app, '192.0.2.1')
  const second = admitted(t, app, '192.0.2.1')
  t.deepEqual(first.ends, ['timed_out'])
  first.session?.established(randomBytes(32))
  t.false(first.session?.open)
  second.session?.established(randomBytes(32))
  t.true(second.session?.open)
})

test('the handshake of every transport has a deadline', async (t) => {
  const { app, server } = await serverWithApp(t)
  const late = admitted(t, app, '192.0.2.1')
  const early = admitted(t, app, '192.0.2.2')
  early.session?.established(randomBytes(32))
  await server.clock.advance(app.limits.handshake)
  t.deepEqual([late.ends, early.ends], [['timed_out'], []])
})

test('a push to a detached session is dropped, and is no event', async (t) => {
  const { app } = await serverWithApp(t)
  app.on(Answer, () => t.fail('nothing was sent'))
  app.onBehalfOf(ALICE).send(Answer, { text: 'hello' })
  t.deepEqual(await app.onBehalfOf(ALICE).request(Ask, { text: 'hello' }), { text: 'hello' })
})

test('a request that is in flight when its session closes fails, and its failure is no event', async (t) => {
  let begun = () => {}
  const inFlight = new Promise<void>((resolve) => {
    begun = resolve
  })
  const { app } = await serverWithApp(t, {}, () => {
    begun()
    return new Promise(() => {})
  })
  app.on(GeneralFailure, () => t.fail('nothing was sent'))
  const { session } = admitted(t, app, '192.0.2.1')
  session?.established(randomBytes(32))
  const asked = session?.receive(Ask, { text: 'hello' })
  await inFlight
  session?.close('kicked')
  const error = await t.throwsAsync(async () => asked, { instanceOf: Refused })
  t.is(error.code, 'kicked')
})

test('a request of the server itself has hooks and handler of the very message, or is refused', async (t) => {
  const { app } = await serverWithApp(t)
  app.before(Ask, () => {
    throw new Refused('not_allowed')
  })
  const copy = { ...Ask }
  for (const message of [Ask, copy])
    await t.throwsAsync(app.onBehalfOf(ALICE).request(message, { text: 'hello' }), { instanceOf: Refused })
})

test('a request settles, whatever its handler throws', async (t) => {
  const strange = Object.defineProperty({}, 'code', {
    get() {
      throw new Error('no code')
    },
  })
  const { app } = await serverWithApp(t, {}, () => {
    throw strange
  })
  const error = await t.throwsAsync(app.onBehalfOf(ALICE).request(Ask, { text: 'hello' }), { instanceOf: Refused })
  t.is(error.code, 'internal')
})

test('a refusal with a time that is over, or is no number, reaches the client', async (t) => {
  const times: Record<string, number> = { past: -5, none: Number.NaN, far: Number.POSITIVE_INFINITY }
  const { server } = await serverWithApp(t, {}, async (text) => {
    throw new Refused('rate_limited', undefined, { retryAfter: times[text] ?? 0 })
  })
  const alice = await server.user('alice')
  const waits = []
  for (const text of Object.keys(times)) {
    const error = await t.throwsAsync(alice.request(Ask, { text }), { name: 'RefusedByServer' })
    waits.push((error as { retryAfter?: number }).retryAfter)
  }
  t.deepEqual(waits, [0, 0, 0xffffffff])
})

test('a stream that comes before every plugin has started is refused', async (t) => {
  const [ours, theirs] = duplexPair()
  t.teardown(() => theirs.destroy())
  const early = definePlugin({ name: 'early', setup: (app) => app.accept(ours, '192.0.2.1') })
  await using _server = await testServer({ plugins: [early] })
  t.true(ours.destroyed)
})

test('a stream that has closed before it is accepted is no connection', async (t) => {
  const { app, server } = await serverWithApp(t)
  const [ours] = duplexPair()
  ours.destroy()
  await nextTurn()
  app.accept(ours, '192.0.2.1')
  t.is(server.server.status().connections, 0)
})

/** Whether the server reads Alice's contact list again when she has a new message: some session watches it. */
async function isWatched(server: TestServer): Promise<boolean> {
  await (await server.user('bob')).client.send('alice', 'news')
  await server.settled()
  let statements = 0
  const count = () => {
    statements++
  }
  server.db.on('query', count)
  await server.clock.advance(200)
  server.db.off('query', count)
  return statements > 0
}

test('a session that watches contacts is forgotten when it closes, also in the turn of its login', async (t) => {
  const { app, server } = await serverWithApp(t)
  const { client } = await server.user('alice')
  await client.request(QueryContacts, { watch: true })
  t.true(await isWatched(server))
  await client.close()
  await server.settled()
  t.false(await isWatched(server))

  const { id } = await server.db('userinfo').where({ username: 'alice' }).first('id')
  const { session } = admitted(t, app, '192.0.2.1')
  session?.established(randomBytes(32))
  session?.login({ ...ALICE, id })
  // Just after the handler has begun, and before SessionStarted.
  app.before(QueryContacts, (from) => {
    if (from.id === session?.id) queueMicrotask(() => session.gone())
  })
  await t.throwsAsync(async () => session?.receive(QueryContacts, { watch: true }), { instanceOf: Refused })
  t.false(await isWatched(server))

  await app.onBehalfOf({ ...ALICE, id }).request(QueryContacts, { watch: true })
  t.false(await isWatched(server), 'a detached session gets no pushes')
})

/** Two ends of a connection; the system takes a write of the server when the test says so. */
function slowPair() {
  const untaken: (() => void)[] = []
  const state = { isSlow: false }
  const far: Duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      near.push(chunk)
      if (state.isSlow) untaken.push(done)
      else done()
    },
  })
  const near: Duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      far.push(chunk)
      done()
    },
  })
  return { near, far, state, untaken }
}

test('a peer that takes one of many writes gets no more requests in while its queue is long', async (t) => {
  let asked = 0
  let peer: Session | undefined
  const { app, server } = await serverWithApp(t, { outboundSoft: 1000 }, (text) => {
    asked++
    return { text }
  })
  app.on(Ask, (session) => {
    peer = session
  })
  const { near, far, state, untaken } = slowPair()
  t.teardown(() => far.destroy())
  server.server.accept(far, { address: 'control', isOperator: true })
  const operator = await enter(near)
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await nextTurn()
  }
  const ask = () => operator.say(encode(Ask, 1, { text: 'x' }))
  ask()
  await settle()
  state.isSlow = true
  for (let pushes = 0; pushes < 10; pushes++) {
    peer?.send(Answer, { text: 'y'.repeat(200) })
    await settle()
  }
  for (let more = 0; more < 5; more++) ask()
  await settle()
  t.is(asked, 2, 'the first of the five fills the queue')
  untaken.shift()?.()
  await settle()
  t.is(asked, 2)
  state.isSlow = false
  for (let done = untaken.shift(); done !== undefined; done = untaken.shift()) done()
  await settle()
  t.is(asked, 6)
})
