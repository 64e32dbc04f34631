import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { ZodType } from 'zod'
import type { Clock } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { HttpRoute } from '../http/routes.ts'
import type { LimitDefinitions, Limits, LimitValues } from '../limits.ts'
import type { Metrics } from '../metrics/registry.ts'
import type { Presence } from '../session/presence.ts'
import type { Rating } from '../session/requests.ts'
import type { Session, UserSession } from '../session/session.ts'
import type { RemoteSession, Transport, TransportSession } from '../session/transport.ts'
import type { User } from '../session/user.ts'
import type { Users } from '../session/users.ts'
import type {
  Catalogue,
  ClientMessage,
  FailureDefinition,
  InputOf,
  Message,
  ReplyOf,
  ServerMessage,
  ValuesOf,
} from '../wire/index.ts'
import type { BeforeOptions } from './before.ts'
import type { EventType } from './events.ts'

type MaybePromise<T> = T | Promise<T>

/** Session type of a handler: UserSession for messages that only logged-in users may send. */
export type SessionOf<M extends Message> = M extends ClientMessage
  ? M['allow'] extends 'user'
    ? UserSession
    : Session
  : Session

type ReplyInput<M extends ClientMessage> = M['reply'] extends ServerMessage
  ? keyof M['reply']['fields'] extends never
    ? // biome-ignore lint/suspicious/noConfusingVoidType: there is nothing to say in a reply without fields
      void
    : InputOf<M['reply']>
  : // biome-ignore lint/suspicious/noConfusingVoidType: the reply is Done
    void

/**
 * One schema change of a plugin, run in a transaction where the database can. On MySQL, one that was cut short runs again
 * from its beginning, without the changes of the schema that were made: changes of rows must do no harm made twice.
 */
export interface Migration {
  up(db: Knex): Promise<unknown>
  down(db: Knex): Promise<unknown>
}

/** How a message came. */
export interface Request {
  /** Chosen by the client; 0 when it wants no reply unless the request fails. */
  readonly ref: number
}

/** Third argument of a `before` hook. */
export interface HookContext {
  /** Aborted at the hook's time limit: its answer is no longer awaited. */
  readonly signal: AbortSignal
}

/** The server as one plugin sees it. What is registered here is undone by the host when the plugin stops. */
export interface App {
  /** Users as recipients of pushes. */
  readonly users: Users
  readonly presence: Presence
  /** The server's own; a plugin finds its own ones in the context. */
  readonly limits: Limits
  readonly catalogue: Catalogue
  /** The server's clock; tests replace the system's. */
  readonly clock: Clock
  /** The other nodes that use the database. */
  readonly cluster: Cluster
  /** Aborted when the plugin stops. */
  readonly signal: AbortSignal
  /** Generation of the database: a new text after it went back to an earlier state. Empty when it is not known. */
  readonly epoch: string
  /** 32 secret bytes for one purpose of this plugin, the same at every start of this server. */
  secret(purpose: string): Buffer
  /** The operator's record of who did what, apart from the log. */
  readonly audit: Logger

  /**
   * Answers a message type; each has exactly one owner. Handlers of one connection start in the order its messages
   * came; the reply goes out when the returned promise resolves. A thrown Refused is the answer "no".
   * Of one user only `limits.requestsAtOnce` requests run at once, and requests wait while the database is busy.
   * @param options.rated false for messages that count as signals and not against the user's request rate; `bulk` the
   *   same for messages of any length, whose bytes the handler limits
   * @param options.serial true when the connection's next message has to wait until this one is answered: for work that
   *   must not pile up, or must not be overtaken
   * @param options.pipelined true for a handler that only hands something to a writer that batches: as many as the
   *   connection may have under way start at once. The default for messages that are not rated. A function of the values
   *   where only some messages are so cheap
   */
  handle<M extends ClientMessage>(
    message: M,
    handler: (session: SessionOf<M>, values: ValuesOf<M>, request: Request) => MaybePromise<ReplyInput<M>>,
    options?: {
      readonly rated?: Rating
      readonly serial?: boolean
      readonly pipelined?: boolean | ((values: ValuesOf<M>) => boolean)
    },
  ): void
  /**
   * Runs before the handler. It may throw Refused, or amend by returning other values; they are checked as if they had
   * come from the client. It must not change the values it gets. Throwing anything else, returning values that the
   * message cannot carry, or not answering in time is a failure of the plugin: the message is refused
   * (`failure: 'closed'`) or passes unchanged (`'open'`). If the hook fails because the database is down, the refusal is
   * `unavailable`.
   */
  before<M extends ClientMessage>(
    message: M,
    hook: (
      session: SessionOf<M>,
      values: Readonly<ValuesOf<M>>,
      run: HookContext,
      // biome-ignore lint/suspicious/noConfusingVoidType: a hook that amends nothing returns nothing
    ) => MaybePromise<Readonly<ValuesOf<M>> | undefined | void>,
    options?: BeforeOptions,
  ): void
  /**
   * Calls the listener after a message was handled, with the reply. It cannot change anything; its failures are only
   * logged. Returns a function that removes it.
   */
  on<M extends ClientMessage>(
    message: M,
    listener: (session: SessionOf<M>, values: ValuesOf<M>, reply: ReplyOf<M>) => unknown,
  ): () => void
  /** Called for each message sent to a session, as a push or as a reply. */
  on<M extends ServerMessage>(message: M, listener: (session: Session, values: InputOf<M>) => unknown): () => void
  on<P>(event: EventType<P>, listener: (payload: P) => unknown): () => void
  /** Emits an event on this node. */
  emit<P>(event: EventType<P>, payload: P): void
  /**
   * Emits an event of scope `cluster` on all nodes. It may be lost on the others, and come before they have followed a change
   * of the log.
   * @param about users whom it concerns: only nodes with a session of one of them are told
   */
  share<P>(event: EventType<P>, payload: P, about?: Iterable<number>): void
  /** A repeating timer that ends with the plugin. Milliseconds. */
  every(ms: number, task: () => unknown): void
  /**
   * Takes over a connected stream on which the peer speaks the native protocol: for listeners of a plugin's own. The
   * stream is destroyed when the server is full, not yet started or stopping.
   * @param address the peer's, without port
   */
  accept(stream: Duplex, address: string): void
  /**
   * Takes in a peer that speaks another protocol: a connection and a session as any other, with all checks, limits and
   * counters. Undefined when the server is full, not yet started or stopping: close the stream then.
   * @param address the peer's, without port
   */
  admit(transport: Transport, address: string): TransportSession | undefined
  /** The HTTP server of `chatctl serve --http`. What is registered here is inert on a server that does not listen for HTTP. */
  readonly http: {
    /** Answers HTTP requests. @throws SetupError for a prefix that is not valid or taken */
    route(route: HttpRoute): void
  }
  /** A detached session, for requests on behalf of a user who may be offline. The user stays offline; pushes are dropped. */
  onBehalfOf(user: User): UserSession
  /**
   * A detached session for requests of a peer that come one by one, such as over HTTP, once the plugin knows whose they
   * are. `receive` takes one in, with the user's rate, its turn in the queue and every other check; pushes are dropped.
   * @param address the peer's, without port
   */
  remote(user: User, address: string): RemoteSession
  /** Metrics, which the plugin `metrics` exports and `chatctl top` shows. */
  readonly metrics: Metrics
  /** Adds to `chatctl status`: `polls.open` for what a plugin "polls" calls `open`. */
  status(report: () => Record<string, number | string>): void
  /** Runs when the plugin stops, last registered first. */
  onStop(task: () => unknown): void
}

// biome-ignore lint/suspicious/noExplicitAny: a plugin of whatever API and options
export type AnyPlugin = Plugin<any>
type Needs = { readonly [name: string]: AnyPlugin }
type ApiOf<P> = P extends Plugin<infer Api> ? Api : never

export interface Context<Options, N extends Needs, L extends LimitDefinitions = Record<never, never>> {
  readonly options: Options
  /** The plugin's own limits, as they are set on this server. */
  readonly limits: LimitValues<L>
  /** Return values of the needed plugins' `setup`. */
  readonly needs: { readonly [K in keyof N]: ApiOf<N[K]> }
  readonly log: Logger
  readonly db: Knex
}

/** A feature of the server: messages, behaviour, tables. Made with definePlugin. */
export interface Plugin<Api = unknown> {
  readonly name: string
  /** Its own version, for people. */
  readonly version?: string
  /** The versions of the plugin API it was written for, as `^1.0`; any if left out. A server of another one refuses it. */
  readonly api?: string
  readonly messages?: { readonly [name: string]: Message }
  /** Its failures, besides the server's own: made with `pluginFailures`. */
  readonly failures?: { readonly [key: string]: FailureDefinition }
  /** Limits that an operator may set: made with `pluginLimits`. */
  readonly limits?: LimitDefinitions
  readonly needs?: Needs
  readonly options?: ZodType
  readonly migrations?: { readonly [name: string]: Migration }
  // biome-ignore lint/suspicious/noExplicitAny: options, needs and limits are checked where the plugin is defined
  setup(app: App, context: Context<any, any, any>): MaybePromise<Api>
}

/**
 * Defines a plugin; types flow from its messages, options, needs and limits to `setup`.
 * @see docs/PLUGINS.md
 */
export function definePlugin<
  Api,
  O = undefined,
  const N extends Needs = Record<never, never>,
  const L extends LimitDefinitions = Record<never, never>,
>(
  plugin: Omit<Plugin<Api>, 'options' | 'needs' | 'limits' | 'setup'> & {
    readonly options?: ZodType<O>
    readonly needs?: N
    readonly limits?: L
    setup(app: App, context: Context<O, N, L>): MaybePromise<Api>
  },
): Plugin<Api> {
  return plugin
}
