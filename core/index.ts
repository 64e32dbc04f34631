/** What a server is made of and what a plugin needs. The client is in `chatctl/client`. */
export { plainAddress } from './address.ts'
export { API_VERSION } from './api-version.ts'
export type { BeforeOptions, RuleFacts } from './before.ts'
export { type Clock, SYSTEM_CLOCK, type Timer } from './clock.ts'
export { Refused, SetupError } from './errors.ts'
export { defineEvent, type EventType, ServerStarted, SessionDrained, SessionEnded, SessionStarted } from './events.ts'
export { FairTurns } from './fair-turns.ts'
export type { Guest, Translator } from './guest.ts'
export { InOrder } from './in-order.ts'
export { KeyedQueue } from './keyed-queue.ts'
export { LIMITS, type LimitName, type Limits, RATES_OFF } from './limits.ts'
export type { Listening } from './listeners.ts'
export { LoadCache } from './load-cache.ts'
export { lruCache } from './lru-cache.ts'
export { fingerprint, generateKeyPair, type KeyPair } from './noise/index.ts'
export {
  type AnyPlugin,
  type App,
  type Context,
  definePlugin,
  type HookContext,
  type Migration,
  type Plugin,
  type SessionOf,
} from './plugin.ts'
export type { PluginFacts } from './plugin-facts.ts'
export { loadPlugin } from './plugin-loader.ts'
export type { PluginFailure } from './plugin-record.ts'
export { Presence, tellMany } from './presence.ts'
export type { DatabaseLoad } from './request-queue.ts'
export { Retries, retryPause } from './retries.ts'
export { createServer, type Server, type ServerOptions } from './server.ts'
export { ROLES, type Role, type Session, type User, type UserSession } from './session.ts'
export { TokenBucket, tokenBuckets } from './token-bucket.ts'
export { startWatchdog } from './watchdog.ts'
export * from './wire/index.ts'
