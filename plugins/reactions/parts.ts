import type { Knex } from 'knex'
import type { App } from '../../core/index.ts'
import type { LimitValues } from '../../core/limits.ts'
import type { Conversations } from '../messages/conversations.ts'
import type { LIMITS } from './limits.ts'

/** Shared by the steps of the plugin's setup. */
export interface Parts {
  readonly app: App
  readonly db: Knex
  readonly limits: LimitValues<typeof LIMITS>
  readonly conversations: Conversations
}
