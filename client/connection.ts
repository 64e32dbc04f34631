import {
  type Catalogue,
  type ClientMessage,
  Closing,
  type InputOf,
  Ping,
  type ReplyOf,
  type ServerMessage,
  type ValuesOf,
} from '../core/wire/index.ts'
import { Channel, type ChannelOptions } from './channel.ts'
import { type ClientError, RefusedByServer } from './errors.ts'
import { Heartbeat } from './heartbeat.ts'
import { type PendingOptions, Requests } from './requests.ts'

export interface ConnectionOptions extends Omit<ChannelOptions, 'onFrame' | 'onClose'> {
  readonly catalogue: Catalogue
  readonly onPush: (message: ServerMessage, values: unknown) => void
  /**
   * Called once when the connection has ended for any reason, with the reason the server sent, if any. Returns the error
   * for the requests in flight.
   */
  readonly onEnd: (
    connection: Connection,
    end: { error: ClientError; closing: RefusedByServer | undefined },
  ) => ClientError
  /** Idle time after which the server is pinged; 0 for never. */
  readonly keepAliveMs: number
  /** Time within which the server must answer a ping. */
  readonly pingTimeoutMs: number
}

/** One connection to a server with its requests in flight. */
export class Connection {
  readonly #channel: Channel
  readonly #requests: Requests
  readonly #heartbeat: Heartbeat | undefined
  #isOver = false

  private constructor(channel: Channel, requests: Requests, heartbeat: Heartbeat | undefined) {
    this.#channel = channel
    this.#requests = requests
    this.#heartbeat = heartbeat
  }

  /** @throws ClientError */
  static async open({
    catalogue,
    onPush,
    onEnd,
    keepAliveMs,
    pingTimeoutMs,
    ...options
  }: ConnectionOptions): Promise<Connection> {
    let closing: RefusedByServer | undefined
    let ended: ClientError | undefined
    let connection: Connection | undefined
    const requests = new Requests(
      catalogue,
      (bytes) => channel.send(bytes),
      (message, values) => {
        if (message === Closing) closing = new RefusedByServer(values as ValuesOf<typeof Closing>)
        onPush(message, values)
      },
    )
    const end = (error: ClientError) => {
      ended = error
      if (connection === undefined) return
      connection.#isOver = true
      connection.#heartbeat?.stop()
      requests.fail(onEnd(connection, { error, closing }))
    }
    const channel = await Channel.open({ ...options, onFrame: (frame) => requests.receive(frame), onClose: end })
    if (ended !== undefined) throw ended
    const heartbeat =
      keepAliveMs > 0
        ? new Heartbeat({
            idleMs: keepAliveMs,
            timeoutMs: pingTimeoutMs,
            lastReceivedAt: () => channel.lastReceivedAt,
            // The heartbeat checks for received bytes, so neither the reply nor an error matters here.
            ping: () => void requests.request(Ping, {}, { signal: new AbortController().signal }).catch(() => {}),
            onDead: () => channel.destroy(new Error('the server does not answer')),
          })
        : undefined
    connection = new Connection(channel, requests, heartbeat)
    return connection
  }

  get fingerprint(): string {
    return this.#channel.fingerprint
  }

  /** True once the connection has ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  get handshakeHash(): Buffer {
    return this.#channel.handshakeHash
  }

  /** @throws ClientError, and WireError for values that the message cannot carry */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, asked: PendingOptions<M>): Promise<ReplyOf<M>> {
    return this.#requests.request(message, values, asked)
  }

  /** Rejects all requests with the error and closes at once. */
  destroy(error: ClientError) {
    this.#heartbeat?.stop()
    this.#requests.fail(error)
    this.#channel.destroy()
  }

  /** Rejects all requests with the error, sends what is queued, then closes. */
  end(error: ClientError) {
    this.#heartbeat?.stop()
    this.#requests.fail(error)
    this.#channel.end()
  }
}
