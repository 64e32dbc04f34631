import type { Knex } from 'knex'
import pino, { type Logger } from 'pino'
import { createServer, type PluginFailure, ratesOff, SYSTEM_CLOCK } from '../core/index.ts'
import { MIN_ITERATIONS } from '../core/scram/index.ts'
import { isUnavailable, loadOf, migrate, openInMemory, ping } from '../db/index.ts'
import { type Assembly, assemble, pluginMigrations } from '../plugins/assembly.ts'
import { BUILT_IN, type KnownLimitSettings } from '../plugins/index.ts'
import { ActivityTracker } from './activity-tracker.ts'
import { emptyDatabase, serverKey } from './fixtures.ts'
import { InternalAccess } from './internal-access.ts'
import { TestClock } from './test-clock.ts'
import { TestServer } from './test-server.ts'

export interface TestServerOptions extends Assembly {
  /** Options of plugins, by name. Unless set, anyone may write to anyone (`friends.messagesFrom`). */
  readonly pluginOptions?: Readonly<Record<string, object>>
  /** Rates are off unless set: on a clock that stands still, used tokens never come back. */
  readonly limits?: KnownLimitSettings
  /** The time at which the test clock starts. Default 2030-01-01. `system`: the server runs on the system's clock. */
  readonly clock?: Date | 'system'
  /** Default: nothing is logged. */
  readonly log?: Logger
  /** Whether the test may end with errors of plugin code that it has not read from `failures()`. Default false. */
  readonly ignoreFailures?: boolean
}

/**
 * Starts a server for a test: the real server with the built-in plugins and yours, over in-memory streams, on an
 * in-memory database, on a clock that stands still.
 * @throws SetupError as a server that cannot start
 */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  return startOn(openInMemory(await emptyDatabase()), options)
}

/**
 * Starts a test server on an open, migrated database, which is closed with the server.
 * @param builtIn plugins in place of the built-in ones
 */
export async function startOn(db: Knex, options: TestServerOptions, builtIn = BUILT_IN): Promise<TestServer> {
  try {
    const plugins = assemble(options, builtIn)
    const migrations = pluginMigrations(plugins)
    if (Object.keys(migrations).length > 0) await migrate(db, migrations)
    const activity = new ActivityTracker()
    db.on('query', activity.touch)
    db.on('query-response', activity.touch)
    const settled = () => activity.settled()
    const clock = options.clock === 'system' ? undefined : new TestClock(options.clock, settled)
    const failures: PluginFailure[] = []
    const { log = pino({ level: 'silent' }) } = options
    const access = new InternalAccess(plugins.some(({ name }) => name === 'accounts'))
    const server = await createServer({
      staticKey: serverKey,
      secret: Buffer.alloc(32, 'test'),
      plugins: [...plugins, access.plugin],
      builtIn: [...builtIn, access.plugin],
      pluginOptions: pluginOptionsOf(options, new Set(plugins.map(({ name }) => name))),
      db,
      isUnavailable,
      databaseLoad: loadOf(db),
      checkDatabase: () => ping(db),
      limits: { ...ratesOff(plugins), ...options.limits },
      clock: clock ?? SYSTEM_CLOCK,
      pluginFailed: (failure) => failures.push(failure),
      log,
      audit: log,
    })
    const foreign = (options.plugins ?? []).flatMap(({ messages = {} }) => Object.values(messages))
    return new TestServer({ server, db, activity, clock, failures, log, foreign, ...access.internals }, options)
  } catch (error) {
    await db.destroy()
    throw error
  }
}

const pluginOptionsOf = ({ pluginOptions = {} }: TestServerOptions, loaded: ReadonlySet<string>) => ({
  ...(loaded.has('registration') && { registration: { iterations: MIN_ITERATIONS, minPassword: 1 } }),
  ...(loaded.has('friends') && { friends: { messagesFrom: 'anyone' } }),
  ...pluginOptions,
})
