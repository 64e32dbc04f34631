import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import type { ClusterLink, Self } from './link.ts'
import { NatsCluster } from './nats-cluster.ts'
import type { NatsServer } from './nats-settings.ts'

const CONNECT_MS = 2000
/** A server that has not answered two pings is gone. */
const PING_MS = 2000
const MAX_PINGS = 2
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5000

/**
 * Connects to one server, once: what the library would keep until it has connected again is out of date.
 * @throws errors of NATS
 */
export const dialNats = ({ address, access }: NatsServer, options: NodeConnectionOptions): Promise<NatsConnection> =>
  connect({
    ...access,
    servers: address,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: CONNECT_MS,
    ...options,
  })

/**
 * Connection of a node to NATS, which carries only what may be lost. It is made again for ever, each time to the first
 * server of the list that answers; meanwhile the node runs on without it.
 */
export class NatsLink implements ClusterLink {
  readonly cluster: NatsCluster
  readonly #servers: readonly NatsServer[]
  readonly #self: Self
  readonly #closing = new AbortController()
  readonly #ended: Promise<void>
  #connection: NatsConnection | undefined
  #isReported = false

  constructor(servers: readonly NatsServer[], self: Self) {
    this.cluster = new NatsCluster(self)
    this.#servers = servers
    this.#self = self
    this.#ended = this.#run()
  }

  get figures() {
    return this.cluster.figures
  }

  peer(): string | undefined {
    return this.#connection?.getServer()
  }

  async close() {
    this.#closing.abort()
    await this.#connection?.close()
    await this.#ended
  }

  async #run() {
    for (let failures = 0; !this.#closing.signal.aborted; failures++) {
      const connection = await this.#connectToFirst()
      if (connection !== undefined) {
        await this.#use(connection)
        failures = 0
      }
      await this.#pause(failures)
    }
  }

  /** The nearest server that answers. */
  async #connectToFirst(): Promise<NatsConnection | undefined> {
    for (const server of this.#servers) {
      if (this.#closing.signal.aborted) return undefined
      try {
        const name = `chatctl node ${this.#self.node}`
        return await dialNats(server, { name, noEcho: true, pingInterval: PING_MS, maxPingOut: MAX_PINGS })
      } catch (error) {
        this.#report(server.address, error)
      }
    }
    return undefined
  }

  /** Resolves when the connection is lost or closed. */
  async #use(connection: NatsConnection) {
    if (this.#closing.signal.aborted) return connection.close()
    const { log } = this.#self
    const server = connection.getServer()
    log.info({ server }, 'connected to NATS')
    this.#isReported = false
    this.#connection = connection
    let failure: unknown
    // Not awaited: the library never answers what is under way when the connection is lost.
    this.cluster.attach(connection).catch((error: unknown) => {
      failure = error
    })
    const error = (await connection.closed()) ?? failure
    this.#connection = undefined
    this.cluster.detach()
    if (!this.#closing.signal.aborted)
      log.warn({ server, err: error ?? undefined }, 'the connection to NATS was lost; trying again')
  }

  /** Once until there is a connection: it may take long. */
  #report(server: string, error: unknown) {
    if (this.#isReported) return
    this.#isReported = true
    this.#self.log.warn({ server, err: error }, 'no connection to NATS: the node runs without it, slower; trying again')
  }

  /** Grows, with jitter: all nodes have lost the same server. */
  async #pause(failures: number) {
    const ms = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + Math.random() / 2)
    // Rejects only when the link is closed, which the caller looks at.
    await sleep(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {})
  }
}
