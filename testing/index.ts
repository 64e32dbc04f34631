/** A whole server in the test's own process: no port, no file, no waiting. For any test runner. */
export type { LoginKeys } from '../client/index.ts'
export type { PluginFailure } from '../core/index.ts'
export type { BotStart, StartableBot } from './bot.ts'
export type { TestClock } from './test-clock.ts'
export {
  type Handled,
  type Sent,
  type TestServer,
  type TestServerOptions,
  testServer,
  type Waiting,
} from './test-server.ts'
export type { Hearing, TestUser, Wanted } from './test-user.ts'
