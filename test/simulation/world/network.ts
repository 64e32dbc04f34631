import type { Duplex } from 'node:stream'
import type { Server } from '../../../core/index.ts'
import type { EventLoop, Process } from '../machine/event-loop.ts'
import { Link } from './socket.ts'

/** Delay in one direction, in milliseconds: within a house, and over the world. */
const LATENCY_MS = { near: 0.3, far: 120 } as const
const SHARE_OF_FAR = 0.2

/** A server to which clients connect, while it runs. */
export interface Endpoint {
  readonly server: Server | undefined
  readonly process: Process | undefined
  /** Clients cannot reach it, and get no error. */
  readonly isCut: boolean
}

/** The connections between clients and servers. */
export class Network {
  readonly #loop: EventLoop
  /** Has the other ends of connections that are refused. */
  readonly #nobody: Process
  #links: { readonly link: Link; readonly endpoint: Endpoint }[] = []

  constructor(loop: EventLoop) {
    this.#loop = loop
    this.#nobody = loop.process('nobody')
  }

  /** Opens a connection of the current process. A server that does not run refuses it. */
  dial(endpoint: Endpoint, address: string): Duplex {
    const loop = this.#loop
    const latency = loop.random.chance(SHARE_OF_FAR) ? LATENCY_MS.far : LATENCY_MS.near
    const { process = this.#nobody } = endpoint
    const link = new Link(loop, [loop.current, process], latency)
    const [near, far] = link.ends
    this.#links = this.#links.filter(({ link: { ends } }) => !ends.every((end) => end.destroyed || end.process.isDead))
    this.#links.push({ link, endpoint })
    link.isBlack = endpoint.isCut
    if (endpoint.server === undefined) {
      loop.after(near.process, latency, () => near.destroy(new Error('connect ECONNREFUSED')))
      return near
    }
    loop.after(process, latency, () => {
      if (endpoint.server === undefined) far.destroy()
      else if (!link.isBlack) endpoint.server.accept(far, { address })
    })
    return near
  }

  /** The connections that are open, of one server or of all. */
  linksOf(endpoint?: Endpoint): Link[] {
    return this.#links.filter((one) => endpoint === undefined || one.endpoint === endpoint).map(({ link }) => link)
  }

  /** The server's process was killed: its clients are told, or not when its machine has died. */
  ended(endpoint: Endpoint, isTold: boolean) {
    for (const link of this.linksOf(endpoint)) {
      const [client] = link.ends
      if (isTold) this.#loop.after(client.process, LATENCY_MS.near, () => client.destroy())
      else link.isBlack = true
    }
  }
}
