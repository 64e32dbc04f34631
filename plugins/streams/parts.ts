import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { App, Context } from '../../core/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { friends } from '../friends/index.ts'
import type { groups } from '../groups/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { StreamsLimits } from './limits.ts'

type Needs = Context<
  undefined,
  { readonly messages: typeof privateMessages; readonly groups: typeof groups; readonly friends: typeof friends }
>['needs']

/** Dependencies shared by the plugin's setup steps. */
export interface Parts {
  readonly app: App
  readonly limits: StreamsLimits
  readonly db: Knex
  readonly log: Logger
  readonly accounts: Accounts
  readonly friends: Needs['friends']
  readonly groups: Needs['groups']
  readonly conversations: Needs['messages']
}
