/** A whole server in the test's own process: no port, no file, no waiting. For any test runner. */
export type { LoginKeys } from '../client/index.ts'
export type { PluginFailure } from '../core/index.ts'
export type { StartableBot } from './bot.ts'
export type { TestClock } from './test-clock.ts'
export { type TestServer, type TestServerOptions, testServer } from './test-server.ts'
export type { Hearing, TestUser } from './test-user.ts'
