import type { Knex } from 'knex'
import type { App, Context } from '../../core/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { Circles } from './circle.ts'

type Needs = Context<undefined, { readonly messages: typeof privateMessages }>['needs']

import type { FriendLimits } from './limits.ts'

/** Dependencies shared by the plugin's setup steps. */
export interface Parts {
  readonly app: App
  readonly limits: FriendLimits
  readonly db: Knex
  readonly accounts: Accounts
  readonly circles: Circles
  readonly conversations: Needs['messages']
}
