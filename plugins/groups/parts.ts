import type { Knex } from 'knex'
import type { App, Context, UserSession } from '../../core/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { GroupLimits } from './limits.ts'
import type { Roster } from './roster.ts'

type Needs = Context<undefined, { readonly messages: typeof privateMessages }>['needs']

/** Dependencies shared by the plugin's setup steps. */
export interface Parts {
  readonly app: App
  readonly limits: GroupLimits
  readonly db: Knex
  readonly roster: Roster
  readonly accounts: Accounts
  readonly conversations: Needs['messages']
}

/** The key of a group's messages in delivery. */
export const conversationOf = (groupId: number) => `group ${groupId}`

/** The acting user of a change of a group. */
export const actorOf = ({ user, isOperator }: UserSession) => ({ id: user.id, isOperator })
