import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { definePlugin, FairSemaphore, isLoopback, listenTcp } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { friends } from '../friends/index.ts'
import { groups } from '../groups/index.ts'
import { login } from '../login/index.ts'
import { privateMessages } from '../messages/index.ts'
import { registration } from '../registration/index.ts'
import { OldClient } from './old-client.ts'

/** Concurrent key derivations, in total and per address: each takes a thread of the pool for a third of a second. */
const [DERIVATIONS, DERIVATIONS_OF_ADDRESS] = [2, 1]
/** Idle time before TCP keep-alive probes: the original's protocol has none of its own. */
const KEEP_ALIVE_MS = 60_000

/** A listener for clients of the original chat room, whose protocol it translates; see docs/LEGACY.md. */
export const legacy = definePlugin({
  name: 'legacy',
  needs: { accounts, registration, login, messages: privateMessages, friends, groups },
  options: z.strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.number().int().min(0).max(65_535),
    /** Milliseconds between two frames to one client; 100 for slow machines. */
    spacing: z.number().int().min(10).default(50),
    /** Milliseconds after a dialog until the next frame, unless the client sends something before. */
    dialogPause: z.number().int().min(0).default(5000),
  }),
  async setup(app, { options, needs, log }) {
    const { host, port, spacing, dialogPause } = options
    const clients = new Set<OldClient>()
    const derivations = new FairSemaphore(DERIVATIONS, DERIVATIONS_OF_ADDRESS)
    let logins = 0
    let derived = 0

    const accept = (socket: Duplex, address: string) => {
      const client = new OldClient(socket, {
        limits: app.limits,
        log,
        clock: app.clock,
        pace: { spacing, dialogPause },
        isLocal: isLoopback(address),
        accounts: needs.accounts,
        derivations,
        mayLogIn: needs.login.checkBeforeWork,
        mayRegister: needs.registration.reserve,
        onDerived: () => {
          derived++
        },
        onLogin: () => {
          logins++
        },
      })
      if (app.admit(client, address) === undefined) {
        socket.destroy()
        return
      }
      clients.add(client)
      socket.on('close', () => clients.delete(client))
    }

    const listener = await listenTcp(
      { host, port, keepAlive: KEEP_ALIVE_MS },
      { onConnection: accept, onError: (error) => log.error({ err: error }, 'cannot accept a connection') },
    )
    const { address } = listener
    app.onStop(() => listener.close())
    log.warn({ address }, 'clients of the original may connect: their protocol encrypts with a key that is not secret')
    app.status(() => ({
      legacy: address,
      legacyConnections: clients.size,
      legacyLogins: logins,
      legacyDerivations: derived,
    }))
  },
})
