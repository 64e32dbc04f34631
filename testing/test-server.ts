import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { BUILT_IN_MESSAGES, type Client, type ConnectOptions, connect, type LoginKeys } from '../client/index.ts'
import {
  type App,
  type ClientMessage,
  type EventType,
  type InputOf,
  type Message,
  type PluginFailure,
  type ReplyOf,
  type Role,
  type Server,
  type ServerMessage,
  type Session,
  type SessionOf,
  SYSTEM_CLOCK,
  type ValuesOf,
} from '../core/index.ts'
import { MIN_ITERATIONS } from '../core/scram/index.ts'
import type { BuiltInLimits } from '../plugins/index.ts'
import type { ActivityTracker } from './activity-tracker.ts'
import { ArrivalQueue } from './arrival-queue.ts'
import type { BotOptions, Running, StartableBot } from './bot.ts'
import { CLIENT_ORIGIN, Dialer, OPERATOR_ORIGIN } from './dialer.ts'
import { FailureReport } from './failure-report.ts'
import { testSecret } from './fixtures.ts'
import type { Internals } from './internal-access.ts'
import type { TestClock } from './test-clock.ts'
import { TestUser } from './test-user.ts'
import { DEFAULT_WAIT_MS, Timeouts } from './timeouts.ts'

export interface WaitOptions {
  /** Milliseconds of real time. Default 5000. */
  readonly within?: number
}

/** A request that the server has answered. */
export interface Handled<M extends ClientMessage> {
  readonly session: SessionOf<M>
  readonly values: ValuesOf<M>
  readonly reply: ReplyOf<M>
}

/** A message that the server has sent to a session. */
export interface Sent<M extends ServerMessage> {
  readonly session: Session
  readonly values: InputOf<M>
}

/** While the server stops, the clock moves by itself in steps of this length. */
const STOP_STEP_MS = 50

/** The parts of a running test server. */
export interface ServerParts extends Internals {
  readonly server: Server
  readonly db: Knex
  readonly activity: ActivityTracker
  readonly clock: TestClock | undefined
  readonly failures: PluginFailure[]
  readonly log: Logger
  /** Message types of plugins that are not built in. */
  readonly foreign: readonly Message[]
}

/** A server in the test's own process. Started by `testServer`, stopped by `await using` or `dispose`. */
export class TestServer {
  /** The real server. */
  readonly server: Server
  /** The server as a plugin sees it: listen to events, emit some, perform requests. */
  readonly app: App
  readonly db: Knex
  readonly #parts: ServerParts
  readonly #failures: FailureReport
  readonly #clients: Client[] = []
  readonly #bots: { stop(): unknown }[] = []
  readonly #dialers: { readonly name: string; readonly dialer: Dialer }[] = []
  readonly #accounts = new Map<string, { readonly role: Role; readonly created: Promise<unknown> }>()
  readonly #timeouts = new Timeouts()
  #http: Promise<string> | undefined
  #disposing: Promise<void> | undefined

  constructor(parts: ServerParts, { ignoreFailures = false }: { readonly ignoreFailures?: boolean | undefined }) {
    this.#parts = parts
    this.server = parts.server
    this.app = parts.app
    this.db = parts.db
    this.#failures = new FailureReport(parts.failures, { ignore: ignoreFailures })
  }

  /** Stands still until the test moves it. @throws Error on a server with `clock: 'system'` */
  get clock(): TestClock {
    const { clock } = this.#parts
    if (clock === undefined) throw new Error('this server runs on the system’s clock')
    return clock
  }

  /**
   * Logs in as a user, whose account is created at the first call. Each call opens one more session.
   * @param options.messages plugin message types that the client knows. Default: those of all plugins of this server
   */
  async user(
    name: string,
    { role = 'user', messages = this.#parts.foreign }: { role?: Role; messages?: Iterable<Message> } = {},
  ): Promise<TestUser> {
    const keys = await this.account(name, role)
    const client = await this.#connect({ server: this.#dialerOf(name).dial, messages })
    const identity = await client.login(name, { keys })
    const pushed = [...BUILT_IN_MESSAGES, ...messages].filter((message) => message.from === 'server')
    const user = new TestUser({
      name: identity.user,
      client,
      timeouts: this.#timeouts,
      pushed,
      window: (this.server.limits as BuiltInLimits).unacknowledged,
      settled: () => this.settled(),
      context: () => this.#context(),
    })
    if (this.server.catalogue.byName('receive') !== undefined) await client.receive()
    return user
  }

  /**
   * Creates an account unless this server has created it before.
   * @returns the keys for `client.login(name, { keys })`
   */
  async account(name: string, role: Role = 'user'): Promise<LoginKeys> {
    const before = this.#accounts.get(name.toLowerCase())
    if (before !== undefined && before.role !== role)
      throw new Error(`${name} has the role ${before.role} already, not ${role}`)
    const account = before ?? { role, created: this.#parts.createAccount(name, role) }
    this.#accounts.set(name.toLowerCase(), account)
    await account.created
    return (await testSecret()).keys
  }

  /** A client that is not logged in. */
  connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    return this.#connect({ messages: this.#parts.foreign, ...options, server: options.server ?? this.#dialer().dial })
  }

  /** A client with the rights of the operator, as on the control socket. */
  operator(): Promise<Client> {
    return this.#connect({ server: this.#dialer(OPERATOR_ORIGIN).dial, messages: this.#parts.foreign })
  }

  /** A new connection without handshake. */
  stream(): Duplex {
    return this.#dialer().dial()
  }

  /**
   * Creates an account of role `bot` and starts a bot on it. The bot is stopped with the server.
   * @param options of the bot's own `start`
   */
  async bot<B extends StartableBot>(bot: B, name: string, options?: BotOptions<B>): Promise<Running<B>> {
    const keys = await this.account(name, 'bot')
    const { log, clock = SYSTEM_CLOCK } = this.#parts
    const running = await bot.start({ log, ...options, server: this.#dialerOf(name).dial, user: name, keys, clock })
    this.#bots.push(running)
    return running as Running<B>
  }

  /**
   * The next event, handled request or sent message of a type. Only those after the call count: call it before the act
   * that causes it.
   * @throws Error after the time limit
   */
  next<P>(event: EventType<P>, options?: WaitOptions): Promise<P>
  next<M extends ClientMessage>(message: M, options?: WaitOptions): Promise<Handled<M>>
  next<M extends ServerMessage>(message: M, options?: WaitOptions): Promise<Sent<M>>
  next(event: EventType | Message, { within = DEFAULT_WAIT_MS }: WaitOptions = {}): Promise<unknown> {
    const arrivals = new ArrivalQueue<unknown[]>(this.#timeouts)
    this.app.on(event as EventType, (...payload: unknown[]) => arrivals.push(payload))
    return this.#nextOf(event, arrivals, within)
  }

  /** Breaks the connections of a user or bot, as a network does. Their clients reconnect. */
  loseConnections(name: string) {
    for (const { name: of, dialer } of this.#dialers) if (of.toLowerCase() === name.toLowerCase()) dialer.disconnect()
  }

  /** The output of `chatctl status`, with the values that plugins report through `app.status`. */
  status(): ReturnType<Server['status']> & Readonly<Record<string, unknown>> {
    return { ...this.server.status() }
  }

  /** Listens for HTTP and WebSockets on a free port of loopback. Resolves with the URL, the same at each call. */
  http(): Promise<string> {
    this.#http ??= this.server.listenHttp({ host: '127.0.0.1', port: 0 }).then(({ url }) => url)
    return this.#http
  }

  /** Errors thrown by plugin code so far, oldest first. A test that does not read them ends with an error. */
  failures(): readonly PluginFailure[] {
    return this.#failures.read()
  }

  /** Resolves when nothing is in flight any more between the server, its clients and its database. */
  settled(): Promise<void> {
    return this.#parts.activity.settled()
  }

  /**
   * Stops bots, clients and the server. Further calls wait for the same end.
   * @throws Error when plugin code has thrown and the test has not read `failures()`
   */
  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  async #dispose() {
    const { db, clock } = this.#parts
    this.#timeouts.clear()
    try {
      await runToEnd(this.#stop(), clock)
    } finally {
      await db.destroy()
    }
    this.#failures.throwUnread()
  }

  async #stop() {
    try {
      await Promise.all(this.#bots.map((bot) => bot.stop()))
    } finally {
      await Promise.all(this.#clients.map((client) => client.close()))
      await this.server.stop()
    }
  }

  async #nextOf(event: EventType | Message, arrivals: ArrivalQueue<unknown[]>, within: number): Promise<unknown> {
    const payload = await arrivals.take(() => true, within)
    if (payload === undefined) throw new Error(`${event.name} did not happen within ${within} ms.${this.#context()}`)
    const [first, values, reply] = payload
    return 'from' in event ? { session: first, values, reply } : first
  }

  async #connect(options: ConnectOptions): Promise<Client> {
    const client = await connect({ leastIterations: MIN_ITERATIONS, ...options })
    this.#clients.push(client)
    return client
  }

  #dialer(origin = CLIENT_ORIGIN): Dialer {
    return new Dialer(this.server, this.#parts.activity, origin)
  }

  /** A dialer whose connections `loseConnections(name)` breaks. */
  #dialerOf(name: string): Dialer {
    const dialer = this.#dialer()
    this.#dialers.push({ name, dialer })
    return dialer
  }

  /** Context for the error of a wait that timed out: unread plugin failures and the time of the clock. */
  #context(): string {
    const { clock } = this.#parts
    const time =
      clock && `\nThe clock stands at ${new Date(clock.time()).toISOString()}; \`clock.advance(ms)\` moves it on.`
    return `${this.#failures.takeUnread()}${time ?? ''}`
  }
}

/** Waits for the end of work, moving the clock for the timers that it waits for. */
async function runToEnd(work: Promise<void>, clock: TestClock | undefined) {
  let isOver = false
  const over = () => {
    isOver = true
  }
  work.then(over, over)
  while (clock !== undefined && !isOver) await clock.advance(STOP_STEP_MS)
  await work
}
