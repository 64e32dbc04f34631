import { type Duplex, duplexPair } from 'node:stream'
import type { Server } from '../core/index.ts'
import type { ActivityTracker } from './activity-tracker.ts'

type Origin = Parameters<Server['accept']>[1]

export const CLIENT_ORIGIN: Origin = { address: '127.0.0.1', isOperator: false }
export const OPERATOR_ORIGIN: Origin = { address: 'control', isOperator: true }

/** Connects one client to a server in this process: a new pair of streams for each connection. */
export class Dialer {
  readonly #server: Server
  readonly #activity: ActivityTracker
  readonly #origin: Origin
  #ends: readonly Duplex[] = []

  constructor(server: Server, activity: ActivityTracker, origin: Origin) {
    this.#server = server
    this.#activity = activity
    this.#origin = origin
  }

  readonly dial = (): Duplex => {
    // Like a socket: when one end ends or is destroyed, so does the other.
    const [near, far] = duplexPair({ allowHalfOpen: false })
    this.#ends = [near, far]
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    this.#server.accept(far, this.#origin)
    // A listener starts the flow of data: both ends have their readers by now, so no byte is lost.
    for (const end of [near, far]) end.on('data', this.#activity.touch)
    return near
  }

  /** Breaks the connection. */
  disconnect() {
    for (const end of this.#ends) end.destroy()
  }
}
