import type { Client } from '../../client/client.ts'
import { Sync } from '../../plugins/messages/messages.ts'
import type { WorkerEvent } from '../shared/protocol.ts'
import type { Changes } from './changes.ts'

/** Kinds of entries. */
const [RECALL, EDIT, REACTIONS] = [2, 3, 4]
/** Messages in one request for reactions. */
const REACTIONS_PAGE = 50

/** Pages read after a reconnect at most; a page that was away longer shows old recalls when a conversation is opened. */
const MAX_PAGES = 40

/** Reads from the server's log what the pushes of a lost connection would have told, besides new messages. */
export class Log {
  readonly #client: Client
  readonly #changes: Changes
  readonly #emit: (event: WorkerEvent) => void
  /** Everything up to this number was pushed. */
  #position = 0

  constructor(client: Client, changes: Changes, emit: (event: WorkerEvent) => void) {
    this.#client = client
    this.#changes = changes
    this.#emit = emit
  }

  /** The subscription is in force, and this was the newest message. */
  reached(number: number) {
    this.#position = Math.max(this.#position, number)
  }

  async catchUp() {
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { entries, more, upTo } = await this.#client.request(Sync, { after: this.#position })
      for (const { entry, id, text, editedAt } of entries) {
        if (entry === RECALL) this.#emit({ type: 'recalled', id })
        if (entry === EDIT) this.#emit({ type: 'edited', id, text, editedAt })
      }
      const reacted = entries.filter(({ entry }) => entry === REACTIONS).map(({ id }) => id)
      for (let at = 0; at < reacted.length; at += REACTIONS_PAGE)
        await this.#changes.reload(reacted.slice(at, at + REACTIONS_PAGE))
      this.#position = upTo
      if (!more) return
    }
  }
}
