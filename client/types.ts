import type { ValuesOf } from '../core/wire/index.ts'
import type { Consuming } from '../plugins/consumers/messages.ts'
import type { ChatMessage, Kind, TextStyle } from './chat-message.ts'
import type { RefusedByServer } from './errors.ts'
import type { LinkEvents, RequestOptions } from './link.ts'

export interface Identity {
  readonly id: number
  readonly user: string
  readonly nickname: string
  readonly role: string
  /** Generation of the server's database: another one than before means that ids may be those of other messages now. */
  readonly epoch: string
}

export interface SentMessage {
  readonly id: number
  readonly sentAt: Date
  /** True if the server had stored it before, under the same client id. */
  readonly repeat: boolean
}

export interface Page {
  readonly more: boolean
  readonly messages: ChatMessage[]
}

export interface SearchPage extends Page {
  /** What to give as `before` to go on while there is `more`. */
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
  /** The sender's own id of the message, at most 64 bytes: sent again with it, the message is stored once. */
  readonly clientId?: string
  readonly style?: TextStyle
  /** One more than the `hops` of the message that a program answers here; 0, the default, for what a person writes. */
  readonly hops?: number
}

export interface ConsumeOptions {
  /** A new consumer begins with the first message there is; else with what comes next. */
  readonly all?: boolean
  /** Leave out events older than so many milliseconds. */
  readonly maxAge?: number
  readonly signal?: AbortSignal
  /** Told once the server has taken it up: what is sent from then on comes as an event. */
  readonly onConsuming?: (consuming: ValuesOf<typeof Consuming>) => void
}

/** What a consumer keeps with an acknowledgement, in the same transaction. */
export interface KeptState {
  readonly key: string
  /** Empty forgets it. */
  readonly state: string
}

export interface MessagesOptions {
  /** Only private messages of this user. */
  readonly from?: string
  /** Only messages of this kind. */
  readonly kind?: Kind
  /** Only messages with a higher id; older ones stay unread. */
  readonly after?: number
  readonly acknowledge?: boolean
  readonly signal?: AbortSignal
}

/** What a client tells of its own life. */
export interface LifeEvents extends LinkEvents {
  /** A message that could not be acknowledged, for example because its group is gone: the loop goes on without it. */
  unacknowledged: [message: Pick<ChatMessage, 'from' | 'group' | 'id'>, reason: RefusedByServer]
  /**
   * Told before `reconnected`: the server has been restored from a backup, and numbers of messages from before may be
   * those of others now. The client has forgotten them; a program forgets what it knows by them.
   */
  restored: []
}
