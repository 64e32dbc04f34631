import { type Client, type ConnectOptions, OnNewMessage } from '../../../client/index.ts'
import type { ServerProcess } from '../processes/server-process.ts'
import type { Ledger } from './ledger.ts'

/** Sends numbered messages to Bob, many at once, and again those that were not acknowledged, in the same order. */
export class Sender {
  readonly name: string
  readonly #ledger: Ledger
  /** Numbers that were sent and not acknowledged, ascending. */
  readonly #open = new Set<number>()
  #last = 0
  /** Answers that said: that one was stored before. */
  repeats = 0

  constructor(name: string, ledger: Ledger) {
    this.name = name
    this.#ledger = ledger
  }

  /**
   * Sends with so many under way until `enough` says so: first what is open from before.
   * @throws what a send throws, when all under way have ended
   */
  async send(client: Client, { window, enough }: { window: number; enough: () => boolean }) {
    const again = [...this.#open]
    const one = async () => {
      for (;;) {
        const number = again.shift() ?? (enough() ? undefined : ++this.#last)
        if (number === undefined) return
        const text = `${this.name} ${number}`
        this.#open.add(number)
        this.#ledger.attempt(text)
        const { id, repeat } = await client.send('bob', text, { clientId: text })
        this.#ledger.acknowledge(text, id)
        this.#open.delete(number)
        if (repeat) this.repeats++
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: window }, one))
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Sends what is open, and nothing new. */
  sendOpen(client: Client, window: number) {
    return this.send(client, { window, enough: () => true })
  }
}

/** Waits for the end of sending by a lost connection, or one that the server closed on its way out: nothing else may. */
export async function untilLost(sending: Promise<unknown>) {
  try {
    await sending
  } catch (error) {
    const { code, failure } = error as { code?: string; failure?: string }
    if (code !== 'lost' && failure !== 'shutting_down') throw error
  }
}

/** Bob, who listens and acknowledges, and comes back when his connection is lost. */
export async function openListener(server: ServerProcess, options: Partial<ConnectOptions>) {
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
    /** Messages that came over the wire, repeats included. */
    pushed: () => pushed,
    /** Waits until so many were heard and acknowledged, then closes. */
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

/** All that is stored for Bob above an id, asked for over the wire. */
export async function storedFor(bob: Client, after = 0): Promise<{ id: number; text: string }[]> {
  const found: { id: number; text: string }[] = []
  for (let last = after, more = true; more; last = found.at(-1)?.id ?? last) {
    const page = await bob.inbox({ after: last, limit: 100, all: true })
    found.push(...page.messages)
    more = page.more
  }
  return found
}
