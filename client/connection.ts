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
import { type Asked, Requests } from './requests.ts'

export interface LineOptions extends Omit<ChannelOptions, 'onFrame' | 'onClose'> {
  readonly catalogue: Catalogue
  readonly onPush: (message: ServerMessage, values: unknown) => void
  /**
   * Told once when the connection has ended, however it did; with what the server said last, if it said why. Returns
   * what the requests under way are rejected with.
   */
  readonly onEnd: (line: Line, why: { error: ClientError; farewell: RefusedByServer | undefined }) => ClientError
  /** Milliseconds of silence after which the server is asked whether it lives; 0: never. */
  readonly silence: number
  /** Milliseconds for its answer. */
  readonly patience: number
}

/** One connection to a server, with the requests that are under way on it. */
export class Line {
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
  static async open({ catalogue, onPush, onEnd, silence, patience, ...options }: LineOptions): Promise<Line> {
    let farewell: RefusedByServer | undefined
    let ended: ClientError | undefined
    let line: Line | undefined
    const requests = new Requests(
      catalogue,
      (bytes) => channel.send(bytes),
      (message, values) => {
        if (message === Closing) farewell = new RefusedByServer(values as ValuesOf<typeof Closing>)
        onPush(message, values)
      },
    )
    const end = (error: ClientError) => {
      ended = error
      if (line === undefined) return
      line.#isOver = true
      line.#heartbeat?.stop()
      requests.fail(onEnd(line, { error, farewell }))
    }
    const channel = await Channel.open({ ...options, onFrame: (frame) => requests.receive(frame), onClose: end })
    if (ended !== undefined) throw ended
    const heartbeat =
      silence > 0
        ? new Heartbeat({
            silence,
            patience,
            heardAt: () => channel.heardAt,
            // Only that something comes matters, and the heartbeat looks at that; it ends with its connection.
            ask: () => void requests.request(Ping, {}, { signal: new AbortController().signal }).catch(() => {}),
            dead: () => channel.destroy(new Error('the server has gone silent')),
          })
        : undefined
    line = new Line(channel, requests, heartbeat)
    return line
  }

  get fingerprint(): string {
    return this.#channel.fingerprint
  }

  /** Whether the connection has ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  get handshakeHash(): Buffer {
    return this.#channel.handshakeHash
  }

  /** @throws ClientError, and WireError for values that the message cannot carry */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, asked: Asked<M>): Promise<ReplyOf<M>> {
    return this.#requests.request(message, values, asked)
  }

  /** Ends all requests with that error; the connection goes. */
  destroy(error: ClientError) {
    this.#heartbeat?.stop()
    this.#requests.fail(error)
    this.#channel.destroy()
  }

  /** Ends all requests with that error, sends what is queued, then closes. */
  end(error: ClientError) {
    this.#heartbeat?.stop()
    this.#requests.fail(error)
    this.#channel.end()
  }
}
