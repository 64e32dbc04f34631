import type { WireMessage } from '../messages/deliverable.ts'

/** Time after which a written message counts as received if the connection still exists. */
const SETTLE_MS = 1000

/**
 * Acknowledges messages for a client that cannot: once a message was written completely, and the client has then sent
 * something or kept the connection for SETTLE_MS. Messages lost with the connection are delivered again at the next login.
 */
export class Receipts {
  readonly #acknowledge: (message: WireMessage) => void
  /** Last written message by conversation. */
  readonly #written = new Map<string, WireMessage>()
  #timer: NodeJS.Timeout | undefined

  constructor(acknowledge: (message: WireMessage) => void) {
    this.#acknowledge = acknowledge
  }

  written(message: WireMessage) {
    this.#written.set(conversationOf(message), message)
    this.#timer ??= setTimeout(() => this.confirm(), SETTLE_MS)
  }

  /** The client has shown that it is alive: acknowledges the written messages. */
  confirm() {
    this.stop()
    const messages = [...this.#written.values()]
    this.#written.clear()
    for (const message of messages) this.#acknowledge(message)
  }

  stop() {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

export const conversationOf = ({ group, from }: Pick<WireMessage, 'group' | 'from'>) =>
  group === '' ? `user ${from}` : `group ${group}`
