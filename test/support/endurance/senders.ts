import { type Client, type ConnectOptions, OnNewMessage } from '../../../client/index.ts'
import type { ServerProcess } from '../processes/server-process.ts'
import type { Ledger } from './ledger.ts'

/** Sends numbered messages to Bob, many in flight, and resends unacknowledged ones in order. */
export class Sender {
  readonly name: string
  readonly #ledger: Ledger
  /** Unacknowledged numbers, ascending. */
  readonly #open = new Set<number>()
  #last = 0
  /** Replies that report a repeat. */
  repeats = 0

  constructor(name: string, ledger: Ledger) {
    this.name = name
    this.#ledger = ledger
  }

  /**
   * Sends with `window` messages in flight until `enough` returns true, unacknowledged ones first.
   * @throws the error of a send, once all in flight have ended
   */
  async send(client: Client, { window, enough }: { window: number; enough: () => boolean }) {
    const again = [...this.#open]
    // After one failure no later message is sent, on a new connection: it would be stored before the one that failed.
    let isFailed = false
    const one = async () => {
      while (!isFailed) {
        const number = again.shift() ?? (enough() ? undefined : ++this.#last)
        if (number === undefined) return
        const text = `${this.name} ${number}`
        this.#open.add(number)
        this.#ledger.attempt(text)
        const sending = client.send('bob', text, { clientId: text })
        sending.catch(() => {
          isFailed = true
        })
        const { id, repeat } = await sending
        this.#ledger.acknowledge(text, id)
        this.#open.delete(number)
        if (repeat) this.repeats++
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: window }, one))
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Resends the unacknowledged messages only. */
  sendOpen(client: Client, window: number) {
    return this.send(client, { window, enough: () => true })
  }
}

/** Waits until sending ends by a lost connection or a stopping server. @throws any other error */
export async function untilLost(sending: Promise<unknown>) {
  try {
    await sending
  } catch (error) {
    const { code, failure } = error as { code?: string; failure?: string }
    if (code !== 'lost' && failure !== 'shutting_down') throw error
  }
}

/** Bob, who receives, acknowledges and reconnects. */
export async function openListener(server: Pick<ServerProcess, 'user'>, options: Partial<ConnectOptions>) {
  const client = await server.user('bob', { reconnect: true, ...options })
  const heard: string[] = []
  let pushed = 0
  client.on(OnNewMessage, ({ messages }) => {
    pushed += messages.length
  })
  let wanted = Number.POSITIVE_INFINITY
  let arrived = () => {}
  const listening = (async () => {
    for await (const message of client.messages({ acknowledge: false })) {
      await client.acknowledge(message)
      heard.push(message.text)
      if (heard.length >= wanted) arrived()
    }
  })()
  return {
    heard,
    /** Messages received over the wire, repeats included. */
    pushed: () => pushed,
    /** Waits until so many messages are received and acknowledged, then closes. */
    async hear(count: number) {
      const all = new Promise<void>((resolve) => {
        arrived = resolve
      })
      wanted = count
      // Ends early if listening fails.
      if (heard.length < count) await Promise.race([all, listening])
      await client.close()
      await listening
    },
  }
}

/** All messages stored for Bob above an id, read over the wire. */
export async function storedFor(bob: Client, after = 0): Promise<{ id: number; text: string }[]> {
  const found: { id: number; text: string }[] = []
  for (let last = after, more = true; more; last = found.at(-1)?.id ?? last) {
    const page = await bob.inbox({ after: last, limit: 100, all: true })
    found.push(...page.messages)
    more = page.more
  }
  return found
}
