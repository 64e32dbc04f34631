import { type Duplex, duplexPair } from 'node:stream'
import type { Server } from '../core/index.ts'
import type { Stir } from './stir.ts'

type Origin = Parameters<Server['accept']>[1]

export const STRANGER: Origin = { address: '127.0.0.1', isOperator: false }
export const OPERATOR: Origin = { address: 'control', isOperator: true }

/** The way of one client to a server in this process: a new pair of streams for each of its connections. */
export class Dialer {
  readonly #server: Server
  readonly #stir: Stir
  readonly #origin: Origin
  #ends: readonly Duplex[] = []

  constructor(server: Server, stir: Stir, origin: Origin) {
    this.#server = server
    this.#stir = stir
    this.#origin = origin
  }

  readonly dial = (): Duplex => {
    const [near, far] = duplexPair()
    this.#ends = [near, far]
    // As with a socket, one end that is gone is gone for the other, too.
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    this.#server.accept(far, this.#origin)
    // Both ends are read already, or nothing is written to them before they are: no byte is lost by listening here.
    for (const end of [near, far]) end.on('data', this.#stir.seen)
    return near
  }

  /** Breaks the connection. */
  lose() {
    for (const end of this.#ends) end.destroy()
  }
}
