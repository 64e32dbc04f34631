import { type Client, ClientError, OnNewMessage, Receive } from '../../client/index.ts'
import { type Clock, SYSTEM_CLOCK } from '../../core/clock.ts'
import type { ClientMessage, InputOf, ReplyOf } from '../../core/index.ts'
import type { Caller } from '../../plugins/mcp/caller.ts'

/** Time that a request waits for a lost connection to come back. */
const RECONNECT_MS = 10_000

/** The user of a client, as an agent acts for it. Its requests may be repeated: messages have client ids. */
export class ClientCaller implements Caller {
  readonly clock: Clock
  readonly user: string
  readonly #client: Client
  /** The highest id that was pushed. */
  #last = 0

  constructor(client: Client, user: string, clock: Clock = SYSTEM_CLOCK) {
    this.#client = client
    this.user = user
    this.clock = clock
    client.on(OnNewMessage, ({ messages }) => {
      this.#last = Math.max(this.#last, messages.at(-1)?.id ?? 0)
    })
    client.onLife('restored', () => {
      this.#last = 0
    })
  }

  async request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    for (const end = this.clock.now() + RECONNECT_MS; ; ) {
      try {
        return await this.#client.request(message, values)
      } catch (error) {
        const left = end - this.clock.now()
        if (!(error instanceof ClientError) || error.code !== 'lost' || left <= 0) throw error
        await this.#reconnected(left)
      }
    }
  }

  async watch(onNews: () => void): Promise<() => void> {
    // Nothing is acknowledged: each subscription begins behind what was pushed, with a window of its own.
    const subscribe = () => this.request(Receive, { after: this.#last })
    const offs = [
      this.#client.on(OnNewMessage, onNews),
      this.#client.onLife('reconnected', () => {
        // Should it fail, the next look comes by itself.
        subscribe().then(onNews, () => {})
      }),
    ]
    const stop = () => {
      for (const off of offs) off()
    }
    try {
      await subscribe()
      return stop
    } catch (error) {
      if (!(error instanceof ClientError) || error.code !== 'lost') {
        stop()
        throw error
      }
      return stop
    }
  }

  #reconnected(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.after(ms, () => end())
      const off = this.#client.onLife('reconnected', () => end())
      const end = () => {
        timer.cancel()
        off()
        resolve()
      }
    })
  }
}
