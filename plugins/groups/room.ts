import type { Knex } from 'knex'
import type { App, Context } from '../../core/index.ts'
import type { accounts } from '../accounts/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { GroupLimits } from './limits.ts'
import type { Roster } from './roster.ts'

type Needs = Context<
  undefined,
  { readonly accounts: typeof accounts; readonly messages: typeof privateMessages }
>['needs']

/** What the parts of the plugin share. */
export interface Room {
  readonly app: App
  readonly limits: GroupLimits
  readonly db: Knex
  readonly roster: Roster
  readonly accounts: Needs['accounts']
  readonly conversations: Needs['messages']
}

/** The key of a group's messages in delivery. */
export const conversationOf = (groupId: number) => `group ${groupId}`
