import type { Client } from '../../client/client.ts'
import { Sync } from '../../plugins/messages/messages.ts'
import type { WorkerEvent } from '../shared/protocol.ts'

/** Kind of an entry: the recall of a message. */
const RECALL = 2

/** Pages read after a reconnect at most; a page that was away longer shows old recalls when a conversation is opened. */
const MAX_PAGES = 40

/** Reads from the server's log what the pushes of a lost connection would have told, besides new messages. */
export class Log {
  readonly #client: Client
  readonly #emit: (event: WorkerEvent) => void
  /** Everything up to this number was pushed. */
  #position = 0

  constructor(client: Client, emit: (event: WorkerEvent) => void) {
    this.#client = client
    this.#emit = emit
  }

  /** The subscription is in force, and this was the newest message. */
  reached(number: number) {
    this.#position = Math.max(this.#position, number)
  }

  async catchUp() {
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { entries, more, upTo } = await this.#client.request(Sync, { after: this.#position })
      for (const { entry, id } of entries) if (entry === RECALL) this.#emit({ type: 'recalled', id })
      this.#position = upTo
      if (!more) return
    }
  }
}
