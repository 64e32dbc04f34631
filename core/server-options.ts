import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import type { Cluster } from './cluster/cluster.ts'
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
  /** Source of the plugin options, for the error about invalid ones. */
  readonly optionsFrom?: string
  /** Built-in plugins: their status reports need no prefix, and their limits may be set even if they are not loaded. */
  readonly builtIn?: readonly AnyPlugin[]
  /** Migrated database, handed to plugins; the server itself knows no SQL. */
  readonly db: Knex
  /** Distinguishes a database that is down or full, which refuses requests as `unavailable`, from a fault of a plugin. */
  readonly isUnavailable?: (error: unknown) => boolean
  /** Rejects if the database does not answer: the server is not ready then. If left out, it always answers. */
  readonly checkDatabase?: () => Promise<unknown>
  /** Load of the database: requests wait while it is busy. If left out, they never wait. */
  readonly databaseLoad?: DatabaseLoad
  /** Limits of the server and of its plugins that are not the default. */
  readonly limits?: LimitSettings
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** The other nodes that use the database; none if left out. */
  readonly cluster?: Cluster
  /** Called for each failure of a plugin's code, which is also logged. */
  readonly pluginFailed?: (failure: PluginFailure) => void
  readonly log: Logger
  /** The audit log: actions of the operator. */
  readonly audit: Logger
}
