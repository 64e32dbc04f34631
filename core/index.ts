/** Exports of `chatctl`: the parts of a server and the plugin API. The client is in `chatctl/client`. */

export { type Clock, SYSTEM_CLOCK, type Timer } from './clock.ts'
export { ALONE, type Answers, type Cluster } from './cluster/cluster.ts'
export { Refused, SetupError } from './errors.ts'
export { FairSemaphore } from './flow/fair-semaphore.ts'
export { InOrder } from './flow/in-order.ts'
export { KeyedQueue } from './flow/keyed-queue.ts'
export { LoadCache } from './flow/load-cache.ts'
export { lruCache } from './flow/lru-cache.ts'
export { Retries, retryPause } from './flow/retries.ts'
export { TokenBucket, tokenBuckets } from './flow/token-bucket.ts'
export { HttpRefusal } from './http/refusal.ts'
export type { HttpRequest } from './http/request.ts'
export type { HttpRoute } from './http/routes.ts'
export {
  LIMITS,
  type LimitDefinition,
  type LimitDefinitions,
  type LimitName,
  type LimitSettings,
  type Limits,
  type LimitValues,
  liftable,
  limit,
  pluginLimits,
  ratesOff,
} from './limits.ts'
export type { HttpListener, HttpOptions } from './listeners/http.ts'
export type { Listener, ListenerHandlers, OnConnection } from './listeners/listener.ts'
export { listenTcp, type TcpAddress, type TcpListener, type TcpOptions } from './listeners/tcp.ts'
export {
  type Counter,
  type Counters,
  type Histogram,
  histogramSamples,
  type MetricFamily,
  type MetricType,
  type Sample,
} from './metrics/metrics.ts'
export type { Metrics, Reading } from './metrics/registry.ts'
export { fingerprint, generateKeyPair, type KeyPair } from './noise/index.ts'
export { API_VERSION } from './plugin/api-version.ts'
export type { BeforeOptions, RuleFacts } from './plugin/before.ts'
export {
  defineEvent,
  type EventScope,
  type EventType,
  ServerStarted,
  SessionDrained,
  SessionEnded,
  SessionStarted,
  UserOffline,
  UserOnline,
} from './plugin/events.ts'
export {
  type AnyPlugin,
  type App,
  type Context,
  definePlugin,
  type HookContext,
  type Migration,
  type Plugin,
  type SessionOf,
} from './plugin/plugin.ts'
export type { PluginFacts } from './plugin/plugin-facts.ts'
export { loadPlugin } from './plugin/plugin-loader.ts'
export type { PluginFailure } from './plugin/plugin-record.ts'
export type { DatabaseLoad } from './plugin/request-queue.ts'
export { createServer, type Server } from './server.ts'
export type { ServerOptions } from './server-options.ts'
export { isLoopback, plainAddress } from './session/address.ts'
export type { Presence } from './session/presence.ts'
export { PresenceThrottle } from './session/presence-throttle.ts'
export { Push } from './session/push.ts'
export type { RequestOptions, Session, UserSession } from './session/session.ts'
export type { RemoteSession, Transport, TransportSession } from './session/transport.ts'
export { ROLES, type Role, type User } from './session/user.ts'
export type { SendOptions, Users } from './session/users.ts'
export { startWatchdog } from './watchdog/watchdog.ts'
export * from './wire/index.ts'
