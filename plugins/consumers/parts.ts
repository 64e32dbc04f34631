import type { Knex } from 'knex'
import type { App, Context } from '../../core/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { ConsumerStore } from './consumer-store.ts'

type Needs = Context<undefined, { readonly messages: typeof privateMessages }>['needs']

/** Dependencies shared by the plugin's setup steps. */
export interface Parts {
  readonly app: App
  readonly db: Knex
  readonly store: ConsumerStore
  readonly conversations: Needs['messages']
}
