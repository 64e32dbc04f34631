/** A whole server in the test's own process: no port, no file, no waiting. For any test runner. */
export type { LoginKeys } from '../client/index.ts'
export type { PluginFailure } from '../core/index.ts'
export type { BotStart, StartableBot } from './bot.ts'
export { type TestServerOptions, testServer } from './start.ts'
export type { TestClock, TimerCount } from './test-clock.ts'
export type { Handled, Sent, TestServer, WaitOptions } from './test-server.ts'
export type { HeardFile, HearOptions, TestUser, Wanted } from './test-user.ts'
