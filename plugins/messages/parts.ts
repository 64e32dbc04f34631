import type { Knex } from 'knex'
import type { App, InOrder, UserSession } from '../../core/index.ts'
import type { Conversations } from './conversations.ts'
import type { Deliveries } from './deliveries.ts'
import type { MessagesLimits } from './limits.ts'
import type { Accounts, PrivateMessages } from './private-messages.ts'
import type { Sources } from './sources.ts'

/** Shared by the steps of the plugin's setup. */
export interface Parts {
  readonly app: App
  readonly limits: MessagesLimits
  readonly db: Knex
  readonly accounts: Accounts
  readonly sources: Sources
  readonly deliveries: Deliveries
  readonly conversations: Conversations
  readonly privateMessages: PrivateMessages
  /** Look-ups of names that a session has sent, in the order of its messages. */
  readonly names: InOrder<UserSession>
  /** Whether the sender of a private message is notified when it was read. */
  readonly readReceipts: boolean
}
