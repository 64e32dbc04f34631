import type { ValuesOf } from '../core/wire/index.ts'
import type { Consuming } from '../plugins/consumers/messages.ts'
import type { LoginSuccessful } from '../plugins/login/messages.ts'
import type { ChatMessage, Kind, TextStyle } from './chat-message.ts'
import type { RefusedByServer } from './errors.ts'
import type { LinkEvents, RequestOptions } from './link.ts'

export interface Identity {
  readonly id: number
  readonly user: string
  readonly nickname: string
  readonly role: ValuesOf<typeof LoginSuccessful>['role']
  /** Generation of the server's database. If it differs from an earlier login's, message ids from then are stale. */
  readonly epoch: string
}

export interface SentMessage {
  readonly id: number
  readonly sentAt: Date
  /** True if the message was stored before, under the same client id. */
  readonly repeat: boolean
}

export interface Page {
  readonly more: boolean
  readonly messages: ChatMessage[]
}

/** A place in a conversation: the newest messages, or those at an id. At most one of the ids. */
export interface HistoryQuery {
  /** Only messages with a lower id. */
  readonly before?: number
  /** Only messages with a higher id, beginning with the oldest. */
  readonly after?: number
  /** Messages on both sides of this id; `more` is about older ones, and `after` the last one finds newer ones. */
  readonly around?: number
  readonly limit?: number
}

export interface SearchPage extends Page {
  /** Value of `before` for the next page while there is `more`. */
  readonly searchedTo: number
}

export interface SearchOptions {
  /** Only private messages with this user. */
  readonly with?: string
  /** Only messages of this group. */
  readonly group?: string
  /** Only messages with a lower id. */
  readonly before?: number
  readonly limit?: number
}

export interface SendOptions extends RequestOptions {
  /** Idempotency key of the message, at most 64 bytes: retries with the same one are stored once. */
  readonly clientId?: string
  readonly style?: TextStyle
  /** Id of the message of this conversation that this one answers. Default 0, none. */
  readonly replyTo?: number
  /** Id of an uploaded file that the message carries; with it the text may be empty. Default 0, none. */
  readonly file?: number
  /** For programs: the `hops` of the answered message plus one. Default 0, a message of a person. */
  readonly hops?: number
}

export interface ConsumeOptions {
  /** A new consumer starts with the oldest message; default: with the next new one. */
  readonly all?: boolean
  /** Skip events older than this many milliseconds. */
  readonly maxAge?: number
  readonly signal?: AbortSignal
  /** Called when the server has started the consumer: messages sent from then on are delivered as events. */
  readonly onConsuming?: (consuming: ValuesOf<typeof Consuming>) => void
}

/** State that a consumer saves with an acknowledgement, in the same transaction. */
export interface KeptState {
  readonly key: string
  /** Empty deletes the key. */
  readonly state: string
}

export interface MessagesOptions {
  /** Only private messages from this user. */
  readonly from?: string
  /** Only messages of this kind. */
  readonly kind?: Kind
  /** Only messages with a higher id; older ones stay unread. */
  readonly after?: number
  /** Also messages that this user sends on other sessions during the loop, which it does not acknowledge. Default false. */
  readonly own?: boolean
  /** Acknowledge each message when the loop requests the next. Default true. */
  readonly acknowledge?: boolean
  readonly signal?: AbortSignal
}

/** Life cycle events of a client. */
export interface LifeEvents extends LinkEvents {
  /** A message could not be acknowledged, for example because its group was dissolved; the loop continues. */
  unacknowledged: [message: Pick<ChatMessage, 'from' | 'group' | 'id'>, reason: RefusedByServer]
  /**
   * Emitted before `reconnected`: the server was restored from a backup, so message ids from before are stale and may name
   * other messages. The client has dropped them; the program must do the same.
   */
  restored: []
}
