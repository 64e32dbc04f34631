import type { WireMessage } from '../messages/deliverable.ts'

/** How long a connection must stay after a message was written to it, if nothing is heard of the client before. */
const SETTLE_MS = 1000

/**
 * When a message counts as read by a client that cannot say so: it was written whole, and then the client sent something
 * or at least kept the connection for a moment. What was lost with the connection comes again at the next login.
 */
export class Receipts {
  readonly #acknowledge: (message: WireMessage) => void
  /** The last one written of each conversation. */
  readonly #written = new Map<string, WireMessage>()
  #timer: NodeJS.Timeout | undefined

  constructor(acknowledge: (message: WireMessage) => void) {
    this.#acknowledge = acknowledge
  }

  written(message: WireMessage) {
    this.#written.set(conversationOf(message), message)
    this.#timer ??= setTimeout(() => this.confirm(), SETTLE_MS)
  }

  /** The client lives. */
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
