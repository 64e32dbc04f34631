import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { definePlugin, FairTurns, listenTcp } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { friends } from '../friends/index.ts'
import { groups } from '../groups/index.ts'
import { login } from '../login/index.ts'
import { privateMessages } from '../messages/index.ts'
import { registration } from '../registration/index.ts'
import { OldClient } from './old-client.ts'

/** Derivations at once, in all and for one address: each takes a thread of the pool for a third of a second. */
const [DERIVATIONS, DERIVATIONS_OF_ADDRESS] = [2, 1]
/** Silence after which the system asks whether the peer's machine still lives: the original has no word for it. */
const KEEP_ALIVE_MS = 60_000

/** A second listener, for clients of the original chat room: a translator, see docs/LEGACY.md. */
export const legacy = definePlugin({
  name: 'legacy',
  needs: { accounts, registration, login, messages: privateMessages, friends, groups },
  options: z.strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    port: z.number().int().min(0).max(65_535),
    /** Milliseconds between two frames to one client; 100 for slow machines. */
    spacing: z.number().int().min(10).default(50),
    /** Milliseconds that a dialog may stay open before the client gets its next frame. */
    dialogPause: z.number().int().min(0).default(5000),
  }),
  async setup(app, { options, needs, log }) {
    const { host, port, spacing, dialogPause } = options
    const clients = new Set<OldClient>()
    const derivations = new FairTurns(DERIVATIONS, DERIVATIONS_OF_ADDRESS)
    let logins = 0
    let derived = 0

    const accept = (socket: Duplex, address: string) => {
      const client = new OldClient(socket, {
        limits: app.limits,
        log,
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
    log.warn({ address }, 'clients of the original may connect: their protocol encrypts with a key that everyone knows')
    app.status(() => ({
      legacy: address,
      legacyConnections: clients.size,
      legacyLogins: logins,
      legacyDerivations: derived,
    }))
  },
})

const isLoopback = (address: string) => address === '::1' || address.startsWith('127.')
