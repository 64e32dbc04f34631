import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { connect as connectClient } from '../../client/index.ts'
import { definePlugin, type Limits, listenTcp } from '../../core/index.ts'
import { startLogin } from '../../core/scram/index.ts'
import { testSecret } from '../../testing/fixtures.ts'
import { testServer } from '../../testing/index.ts'
import { JsonLines } from '../support/wire/json-lines.ts'

/** A server with two listeners of a plugin: one for JSON lines, one for the native protocol. */
async function serverWithListeners(t: ExecutionContext, limits: Partial<Limits> = {}) {
  const ports = { lines: 0, native: 0 }
  const listeners = definePlugin({
    name: 'listeners',
    async setup(app) {
      const onError = (error: Error) => t.fail(String(error))
      const lines = await listenTcp(
        { host: '127.0.0.1', port: 0 },
        {
          onConnection: (stream, address) => {
            if (app.admit(new JsonLines(stream, app.catalogue), address) === undefined) stream.destroy()
          },
          onError,
        },
      )
      const native = await listenTcp({ host: '127.0.0.1', port: 0 }, { onConnection: app.accept, onError })
      app.onStop(() => {
        lines.close()
        native.close()
      })
      ports.lines = lines.port
      ports.native = native.port
    },
  })
  const server = await testServer({ plugins: [listeners], limits })
  return { server, ports, [Symbol.asyncDispose]: () => server.dispose() }
}

interface Line {
  readonly id?: number
  readonly binding?: string
  readonly reply?: Record<string, string>
  readonly failure?: string
  readonly push?: string
  readonly closing?: string
  readonly values?: { readonly messages: readonly { readonly from: string; readonly text: string }[] }
}

/** A client of JSON lines. */
class LineClient {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  readonly #lines: AsyncIterator<string>
  readonly #others: Line[] = []
  #lastId = 0

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port })
    this.closed = once(this.socket, 'close')
    this.#lines = createInterface({ input: this.socket })[Symbol.asyncIterator]()
  }

  async next(): Promise<Line> {
    const { value } = await this.#lines.next()
    return JSON.parse(value ?? '{}')
  }

  async ask(message: string, values: object): Promise<Line> {
    const id = ++this.#lastId
    this.socket.write(`${JSON.stringify({ id, message, values })}\n`)
    for (;;) {
      const line = await this.next()
      if (line.id === id || line.closing !== undefined) return line
      this.#others.push(line)
    }
  }

  async pushed(name: string): Promise<Line> {
    for (;;) {
      const line = this.#others.shift() ?? (await this.next())
      if (line.push === name) return line
    }
  }

  /** Logs in as a user that the test server has made. */
  async logIn(name: string): Promise<Line> {
    const { binding = '' } = await this.next()
    const exchange = startLogin(name)
    const { reply = {} } = await this.ask('login', { clientFirst: exchange.clientFirst })
    const { keys } = await testSecret()
    const { clientFinal } = await exchange.answer(reply.serverFirst ?? '', Buffer.from(binding, 'hex'), () => keys)
    return this.ask('login_proof', { clientFinal })
  }
}

test('Alice on a transport of a plugin logs in, writes to Bob and hears him, as on any other connection', async (t) => {
  await using host = await serverWithListeners(t)
  const { server, ports } = host
  const [bob] = await Promise.all([server.user('bob'), server.user('alice').then((alice) => alice.client.close())])
  const alice = new LineClient(ports.lines)
  t.is((await alice.logIn('alice')).reply?.user, 'alice')

  await alice.ask('receive', {})
  const sent = await alice.ask('send_message', { to: 'bob', text: 'from a line' })
  t.true(Number(sent.reply?.id) > 0)
  await bob.hears('from a line', { from: 'alice' })
  await bob.says('alice', 'from a record')
  t.is((await alice.pushed('on_new_message')).values?.messages[0]?.text, 'from a record')

  t.is((await alice.ask('send_message', { to: 'nobody', text: 'x' })).failure, 'user_not_exist')
  t.is((await alice.ask('send_message', { to: 'bob', text: 7 })).failure, 'invalid_value')
  t.is((await alice.ask('query_status', {})).failure, 'not_allowed')
  t.is((await alice.ask('no_such_message', {})).failure, 'unknown_type')
  alice.socket.destroy()
})

test('a transport of a plugin has the limits of every connection', async (t) => {
  await using host = await serverWithListeners(t, {
    messagesBeforeLogin: 3,
    requestRate: 1,
    requestBurst: 5,
    requestPause: 0,
  })
  const { server, ports } = host
  await server.user('alice')

  const stranger = new LineClient(ports.lines)
  await stranger.next()
  t.is((await stranger.ask('send_message', { to: 'alice', text: 'x' })).failure, 'login_required')
  await stranger.ask('ping', {})
  await stranger.ask('ping', {})
  const last = await stranger.ask('ping', {})
  t.is(last.failure ?? last.closing, 'login_required')
  await stranger.closed

  const alice = new LineClient(ports.lines)
  await alice.logIn('alice')
  const answers = []
  for (let n = 0; n < 8; n++) answers.push(await alice.ask('query_inbox', {}))
  t.true(answers.some(({ failure }) => failure === 'rate_limited'))
  alice.socket.destroy()
})

test('a native client comes in through a listener of a plugin', async (t) => {
  await using host = await serverWithListeners(t)
  const { server, ports } = host
  await server.user('alice')
  const before = server.server.status().connections
  const client = await connectClient({ server: `127.0.0.1:${ports.native}`, pin: server.server.fingerprint })
  t.is(server.server.status().connections, before + 1)
  await client.close()
})

test('a server that stops tells the peers of every transport', async (t) => {
  const host = await serverWithListeners(t)
  const line = new LineClient(host.ports.lines)
  await line.next()
  await host.server.dispose()
  t.is((await line.next()).closing, 'shutting_down')
})
