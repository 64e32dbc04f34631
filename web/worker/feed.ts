import { type ChatMessage, toChatMessage } from '../../client/chat-message.ts'
import type { Client } from '../../client/client.ts'
import type { ValuesOf } from '../../core/wire/index.ts'
import { OnNewMessage } from '../../plugins/messages/messages.ts'
import { type Key, type Me, userKey } from '../shared/model.ts'
import type { WorkerEvent } from '../shared/protocol.ts'
import type { Log } from './log.ts'
import { toMessage } from './messages.ts'
import type { Roster } from './roster.ts'

/**
 * Pushed messages after which the subscription is renewed. The page acknowledges only what was seen, and the server stops
 * pushing at `limits.unacknowledged` (100) messages in flight; a new subscription begins with none.
 */
const RENEW_AFTER = 50

type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

export interface FeedParts {
  readonly client: Client
  readonly me: Me
  readonly roster: Roster
  readonly log: Log
  readonly emit: (event: WorkerEvent) => void
  /** A push could not be handled, so the state of the server must be read again. */
  readonly onGap: () => void
}

/** New messages as the server pushes them. Older unread ones are in the history, so they are not pushed. */
export class Feed {
  readonly #parts: FeedParts
  #pushed = 0
  #newestId = 0
  /** Messages are emitted in the order of their arrival. */
  #last: Promise<void> = Promise.resolve()

  constructor(parts: FeedParts) {
    this.#parts = parts
    parts.client.on(OnNewMessage, ({ messages }) => {
      this.#last = this.#last.then(() => this.#take(messages)).catch(parts.onGap)
    })
  }

  async subscribe() {
    this.#pushed = 0
    this.#newestId = Math.max(this.#newestId, this.#parts.roster.newestId)
    const newest = this.#newestId
    await this.#parts.client.receive({ after: newest, own: true })
    this.#parts.log.reached(newest)
  }

  async #take(messages: readonly WireMessage[]) {
    const { emit, me } = this.#parts
    this.#pushed += messages.length
    for (const wire of messages) {
      this.#newestId = Math.max(this.#newestId, wire.id)
      const message = toChatMessage(wire)
      const key = await this.#keyOf(message)
      if (key !== undefined) emit({ type: 'messages', key, messages: [toMessage(message, key, me)] })
    }
    if (this.#pushed >= RENEW_AFTER) await this.subscribe()
  }

  async #keyOf({ from, to, group }: ChatMessage): Promise<Key | undefined> {
    const { roster, me } = this.#parts
    if (group === undefined) return userKey(from === me.user ? (to ?? from) : from)
    const known = roster.groupNamed(group)
    if (known !== undefined) return known
    // The group was joined or renamed a moment ago.
    await roster.load()
    return roster.groupNamed(group)
  }
}
