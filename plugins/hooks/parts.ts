import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { App, Context, Counter, Counters, FairSemaphore } from '../../core/index.ts'
import type { accounts } from '../accounts/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { HookLimits } from './limits.ts'
import type { PostParts } from './post.ts'

type Needs = Context<
  undefined,
  { readonly accounts: typeof accounts; readonly messages: typeof privateMessages }
>['needs']

/** Dependencies shared by the plugin's parts. */
export interface Parts {
  readonly app: App
  readonly db: Knex
  readonly log: Logger
  readonly limits: HookLimits
  readonly accounts: Needs['accounts']
  readonly conversations: Needs['messages']
  readonly posting: PostParts
  /** Bounds the requests of all hooks. */
  readonly requests: FairSemaphore
  /** Asks the node that delivers for a hook to give it to this one. */
  readonly askFor: (hook: number) => Promise<void>
  /** Encrypts the secrets. */
  readonly key: Buffer
  /** Attempts by outcome. */
  readonly attempts: Counters
  /** Messages made of answers. */
  readonly replies: Counter
}
