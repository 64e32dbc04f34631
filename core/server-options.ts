import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import type { LimitSettings } from './limits.ts'
import type { KeyPair } from './noise/index.ts'
import type { AnyPlugin } from './plugin/plugin.ts'
import type { PluginFailure } from './plugin/plugin-record.ts'
import type { DatabaseLoad } from './plugin/request-queue.ts'

export interface ServerOptions {
  readonly staticKey: KeyPair
  /** 32 random bytes that stay the same for the life of the server; plugins derive their own from it. */
  readonly secret: Buffer
  readonly plugins: readonly AnyPlugin[]
  /** Generation of the database, handed to plugins; empty if left out. */
  readonly epoch?: string
  /** Options of plugins, by plugin name; each plugin checks its own. */
  readonly pluginOptions?: Readonly<Record<string, unknown>>
  /** Where those were written, for the error when some are wrong. */
  readonly optionsFrom?: string
  /** Those of the plugins that come with the server: what they report about themselves needs no prefix, and their limits may be set where they are left out. */
  readonly builtIn?: readonly AnyPlugin[]
  /** Migrated database, handed to plugins; the server itself knows no SQL. */
  readonly db: Knex
  /** Tells a database that is down or full from a fault of a plugin: such a request is refused as `unavailable`. */
  readonly isUnavailable?: (error: unknown) => boolean
  /** How busy the database is: requests wait while it has no room for them. Never, if left out. */
  readonly databaseLoad?: DatabaseLoad
  /** Limits of the server and of its plugins that are not the default. */
  readonly limits?: LimitSettings
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** Told of each failure of a plugin's code, which is logged in any case. */
  readonly pluginFailed?: (failure: PluginFailure) => void
  readonly log: Logger
  /** Who did what on the operator's side. */
  readonly audit: Logger
}
