import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { App, Context } from '../../core/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { groups } from '../groups/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { ScheduleLimits } from './limits.ts'

type Needs = Context<undefined, { readonly messages: typeof privateMessages; readonly groups: typeof groups }>['needs']

/** Dependencies shared by the plugin's setup steps. */
export interface Parts {
  readonly app: App
  readonly limits: ScheduleLimits
  readonly db: Knex
  readonly log: Logger
  readonly accounts: Accounts
  readonly groups: Needs['groups']
  readonly conversations: Needs['messages']
}
