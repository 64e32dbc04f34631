import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import {
  type App,
  definePlugin,
  type FailureName,
  type Limits,
  type Transport,
  type TransportSession,
} from '../../core/index.ts'
import { testServer } from '../../testing/index.ts'

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

async function serverWithApp(t: ExecutionContext, limits: Partial<Limits> = {}) {
  let app: App | undefined
  const plugin = definePlugin({
    name: 'door',
    setup(own) {
      app = own
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
