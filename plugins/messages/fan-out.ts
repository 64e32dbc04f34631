import type { App } from '../../core/index.ts'
import type { LogFeed, MessageColumns } from '../../db/index.ts'
import type { Audience } from './audience.ts'
import type { WireMessage } from './deliverable.ts'
import type { Deliveries } from './deliveries.ts'
import { emitChange } from './events.ts'

/** Columns that say whose conversation a message belongs to. */
type Ends = Pick<MessageColumns, 'user_id' | 'target_id' | 'msg_type'>

/** A stored message with its recipients. */
export interface Routed {
  readonly message: WireMessage
  readonly row: Ends
  readonly audience: Audience
}

/** The log that this server shares with others, with messages for this plugin. */
export type SharedLog = LogFeed<Routed>

/** Tells the sessions and the plugins of this server of stored messages. */
export class FanOut {
  readonly #app: App
  readonly #deliveries: Deliveries

  constructor(app: App, deliveries: Deliveries) {
    this.#app = app
    this.#deliveries = deliveries
  }

  push(message: WireMessage, row: Ends, audience: Audience) {
    const { conversation, recipients, except } = audience
    this.#deliveries.fanOut(conversation, message, recipients, except)
    if (this.#deliveries.isOwnWanted) this.#pushOwn(message, row.user_id, audience)
    emitChange(this.#app, row, recipients)
  }

  /** Pushes a message to the other sessions of its sender that asked for own messages. */
  #pushOwn(message: WireMessage, senderId: number, { conversation, names, recipients, except, sentOn }: Audience) {
    // A note to oneself is unread, and has been pushed to all sessions.
    if (except !== senderId && recipients.includes(senderId)) return
    // As in the history: a private message is unread until its recipient acknowledges it.
    const own = names.group === '' ? message : { ...message, unread: false }
    this.#deliveries.fanOutOwn(conversation, own, senderId, sentOn)
  }
}
