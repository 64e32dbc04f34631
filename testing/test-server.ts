import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import pino, { type Logger } from 'pino'
import { BUILT_IN_MESSAGES, type Client, type ConnectOptions, connect, type LoginKeys } from '../client/index.ts'
import {
  type App,
  type ClientMessage,
  createServer,
  type EventType,
  type InputOf,
  type Message,
  type PluginFailure,
  type ReplyOf,
  type Role,
  ratesOff,
  type Server,
  type ServerMessage,
  type Session,
  type SessionOf,
  SYSTEM_CLOCK,
  type ValuesOf,
} from '../core/index.ts'
import { MIN_ITERATIONS } from '../core/scram/index.ts'
import { isUnavailable, loadOf, migrate, openInMemory } from '../db/index.ts'
import { type Assembly, assemble, pluginMigrations } from '../plugins/assembly.ts'
import { BUILT_IN, type BuiltInLimits, type KnownLimitSettings } from '../plugins/index.ts'
import { Arrivals } from './arrivals.ts'
import type { BotOptions, Running, StartableBot } from './bot.ts'
import { Dialer, OPERATOR, STRANGER } from './dialer.ts'
import { emptyDatabase, secret, serverKey } from './once-a-process.ts'
import { Patience } from './patience.ts'
import { type Inside, Probe } from './probe.ts'
import { Stir } from './stir.ts'
import { TestClock } from './test-clock.ts'
import { TestUser } from './test-user.ts'

export interface TestServerOptions extends Assembly {
  /** Options of plugins, by name. Unless set, anyone may write to anyone (`friends.messagesFrom`). */
  readonly pluginOptions?: Readonly<Record<string, object>>
  /** Rates are off unless set here: on a clock that stands still they would never come back. */
  readonly limits?: KnownLimitSettings
  /** When the test clock begins: 2030 unless set. `system`: the server runs on the system's clock. */
  readonly clock?: Date | 'system'
  /** Nothing is logged if left out. */
  readonly log?: Logger
  /** Whether the test may end although plugins' code has thrown and nobody asked for `failures()`. Default false. */
  readonly ignoreFailures?: boolean
}

export interface Waiting {
  /** Milliseconds of real time. Default 1000. */
  readonly within?: number
}

/** A request that was answered. */
export interface Handled<M extends ClientMessage> {
  readonly session: SessionOf<M>
  readonly values: ValuesOf<M>
  readonly reply: ReplyOf<M>
}

/** A message that was sent to a session. */
export interface Sent<M extends ServerMessage> {
  readonly session: Session
  readonly values: InputOf<M>
}

const BEGINNING = new Date('2030-01-01T00:00:00Z')
const WITHIN_MS = 1000
/** What a stopping server waits for comes at once: time then runs by itself, in steps of so many milliseconds. */
const LAST_STEPS_MS = 50

interface Parts extends Inside {
  readonly server: Server
  readonly db: Knex
  readonly stir: Stir
  readonly clock: TestClock | undefined
  readonly failures: PluginFailure[]
  readonly log: Logger
  /** Message types of plugins that are not built in. */
  readonly foreign: readonly Message[]
}

/** A server in the test's own process. Made by `testServer`, gone with `await using` or `dispose`. */
export class TestServer {
  /** The real server. */
  readonly server: Server
  /** The server as a plugin sees it: listen to events, emit some, perform requests. */
  readonly app: App
  readonly db: Knex
  readonly #parts: Parts
  readonly #ignoresFailures: boolean
  readonly #clients: Client[] = []
  readonly #bots: { stop(): unknown }[] = []
  readonly #ways: { readonly name: string; readonly dialer: Dialer }[] = []
  readonly #accounts = new Map<string, { readonly role: Role; readonly made: Promise<unknown> }>()
  readonly #patience = new Patience()
  /** How many of the failures a test has looked at. */
  #looked = 0
  #disposing: Promise<void> | undefined

  constructor(parts: Parts, { ignoreFailures = false }: { readonly ignoreFailures?: boolean | undefined }) {
    this.#parts = parts
    this.server = parts.server
    this.app = parts.app
    this.db = parts.db
    this.#ignoresFailures = ignoreFailures
  }

  /** Stands still until the test moves it on. @throws Error on a server with `clock: 'system'` */
  get clock(): TestClock {
    const { clock } = this.#parts
    if (clock === undefined) throw new Error('this server runs on the system’s clock')
    return clock
  }

  /**
   * Makes an account unless this server has made it before, and logs in: named again, the user has one more session.
   * @param options.messages types that the client knows; those of all plugins of this server if left out
   */
  async user(
    name: string,
    { role = 'user', messages = this.#parts.foreign }: { role?: Role; messages?: Iterable<Message> } = {},
  ): Promise<TestUser> {
    const keys = await this.#account(name, role)
    const dialer = this.#dialer()
    this.#ways.push({ name, dialer })
    const client = await this.#enter({ server: dialer.dial, messages })
    const identity = await client.login(name, { keys })
    const pushed = [...BUILT_IN_MESSAGES, ...messages].filter((message) => message.from === 'server')
    const user = new TestUser({
      name: identity.user,
      client,
      patience: this.#patience,
      pushed,
      window: (this.server.limits as BuiltInLimits).unacknowledged,
      settled: () => this.settled(),
      circumstances: () => this.#circumstances(),
    })
    if (this.server.catalogue.byName('receive') !== undefined) await client.receive()
    return user
  }

  /** A client that is not logged in. */
  connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    return this.#enter({ messages: this.#parts.foreign, ...options, server: options.server ?? this.#dialer().dial })
  }

  /** The operator, as on the control socket. */
  operator(): Promise<Client> {
    return this.#enter({ server: this.#dialer(OPERATOR).dial, messages: this.#parts.foreign })
  }

  /** A new connection on which nothing has been said. */
  stream(): Duplex {
    return this.#dialer().dial()
  }

  /**
   * Makes an account of role `bot` and starts a bot on it, which is stopped with the server.
   * @param options of the bot's own `start`
   */
  async bot<B extends StartableBot>(bot: B, name: string, options?: BotOptions<B>): Promise<Running<B>> {
    const keys = await this.#account(name, 'bot')
    const { log, clock = SYSTEM_CLOCK } = this.#parts
    const dialer = this.#dialer()
    this.#ways.push({ name, dialer })
    const running = await bot.start({ log, ...options, server: dialer.dial, user: name, keys, clock })
    this.#bots.push(running)
    return running as Running<B>
  }

  /**
   * The next time that something happens in the server: an event, or a message that is handled or sent. Only what comes
   * after the call counts, so call it before what sets it off.
   * @throws Error when it does not happen in time
   */
  next<P>(event: EventType<P>, options?: Waiting): Promise<P>
  next<M extends ClientMessage>(message: M, options?: Waiting): Promise<Handled<M>>
  next<M extends ServerMessage>(message: M, options?: Waiting): Promise<Sent<M>>
  next(event: EventType | Message, { within = WITHIN_MS }: Waiting = {}): Promise<unknown> {
    const arrivals = new Arrivals<unknown[]>(this.#patience)
    this.app.on(event as EventType, (...payload: unknown[]) => arrivals.push(payload))
    return this.#nextOf(event, arrivals, within)
  }

  /** Breaks the connections of a user or bot, as a network does; their clients make new ones. */
  loseConnections(name: string) {
    for (const way of this.#ways) if (way.name.toLowerCase() === name.toLowerCase()) way.dialer.lose()
  }

  /** What `chatctl status` shows, with what plugins report through `app.status`. */
  status(): ReturnType<Server['status']> & Readonly<Record<string, unknown>> {
    return { ...this.server.status() }
  }

  /** What plugins' code has thrown so far, oldest first. A test that does not ask for it ends with an error. */
  failures(): readonly PluginFailure[] {
    this.#looked = this.#parts.failures.length
    return [...this.#parts.failures]
  }

  /** Resolves when nothing moves any more between the server, its clients and its database. */
  settled(): Promise<void> {
    return this.#parts.stir.settled()
  }

  /**
   * Stops bots, clients and the server. Called again, waits for the same end.
   * @throws Error when a plugin's code has thrown and nobody asked for `failures()`
   */
  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose()
    return this.#disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  async #dispose() {
    const { db, clock, failures } = this.#parts
    this.#patience.end()
    try {
      await this.#lastly(() => this.#stop(), clock)
    } finally {
      await db.destroy()
    }
    const unseen = failures.slice(this.#looked)
    if (unseen.length === 0 || this.#ignoresFailures) return
    throw new Error(`code of plugins has thrown:${listed(unseen)}`, { cause: unseen[0]?.error })
  }

  async #stop() {
    try {
      await Promise.all(this.#bots.map((bot) => bot.stop()))
    } finally {
      await Promise.all(this.#clients.map((client) => client.close()))
      await this.server.stop()
    }
  }

  /** Whatever waits for time gets it. */
  async #lastly(end: () => Promise<void>, clock: TestClock | undefined) {
    let isOver = false
    const over = () => {
      isOver = true
    }
    const ending = end()
    ending.then(over, over)
    while (clock !== undefined && !isOver) await clock.advance(LAST_STEPS_MS)
    await ending
  }

  async #nextOf(event: EventType | Message, arrivals: Arrivals<unknown[]>, within: number): Promise<unknown> {
    const payload = await arrivals.take(() => true, within)
    if (payload === undefined)
      throw new Error(`${event.name} did not happen within ${within} ms.${this.#circumstances()}`)
    const [first, values, reply] = payload
    return 'from' in event ? { session: first, values, reply } : first
  }

  async #account(name: string, role: Role): Promise<LoginKeys> {
    const before = this.#accounts.get(name.toLowerCase())
    if (before !== undefined && before.role !== role)
      throw new Error(`${name} has the role ${before.role} already, not ${role}`)
    const account = before ?? { role, made: this.#parts.createAccount(name, role) }
    this.#accounts.set(name.toLowerCase(), account)
    await account.made
    return (await secret()).keys
  }

  async #enter(options: ConnectOptions): Promise<Client> {
    const client = await connect({ leastIterations: MIN_ITERATIONS, ...options })
    this.#clients.push(client)
    return client
  }

  #dialer(origin = STRANGER): Dialer {
    return new Dialer(this.server, this.#parts.stir, origin)
  }

  /** What may be behind something that did not come. A failure that is told here need not be told again at the end. */
  #circumstances(): string {
    const { clock, failures } = this.#parts
    const unseen = failures.slice(this.#looked)
    this.#looked = failures.length
    const thrown = unseen.length === 0 ? '' : `\nCode of plugins has thrown:${listed(unseen)}`
    const time =
      clock && `\nThe clock stands at ${new Date(clock.time()).toISOString()}; \`clock.advance(ms)\` moves it on.`
    return `${thrown}${time ?? ''}`
  }
}

const listed = (failures: readonly PluginFailure[]) =>
  failures
    .map(({ plugin, event, error }) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return `\n  ${plugin}, ${event}: ${reason.replaceAll('\n', '\n  ')}`
    })
    .join('')

/**
 * Starts a server for a test: the real one with the built-in plugins and yours, over streams in memory, on a database in
 * memory, on a clock that stands still.
 * @throws SetupError as a server does that cannot start
 */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { pluginOptions = {}, log = pino({ level: 'silent' }) } = options
  const plugins = assemble(options)
  const has = (name: string) => plugins.some((plugin) => plugin.name === name)
  const stir = new Stir()
  const clock = options.clock === 'system' ? undefined : new TestClock(options.clock ?? BEGINNING, () => stir.settled())
  const failures: PluginFailure[] = []
  const db = openInMemory(await emptyDatabase())
  try {
    const migrations = pluginMigrations(plugins)
    if (Object.keys(migrations).length > 0) await migrate(db, migrations)
    db.on('query', stir.seen)
    db.on('query-response', stir.seen)
    const probe = new Probe(has('accounts'))
    const server = await createServer({
      staticKey: serverKey,
      secret: Buffer.alloc(32, 'test'),
      plugins: [...plugins, probe.plugin],
      builtIn: [...BUILT_IN, probe.plugin],
      pluginOptions: {
        ...(has('registration') && { registration: { iterations: MIN_ITERATIONS, minPassword: 1 } }),
        ...(has('friends') && { friends: { messagesFrom: 'anyone' } }),
        ...pluginOptions,
      },
      db,
      isUnavailable,
      databaseLoad: loadOf(db),
      limits: { ...ratesOff(plugins), ...options.limits },
      clock: clock ?? SYSTEM_CLOCK,
      pluginFailed: (failure) => failures.push(failure),
      log,
      audit: log,
    })
    const foreign = (options.plugins ?? []).flatMap(({ messages = {} }) => Object.values(messages))
    return new TestServer({ server, db, stir, clock, failures, log, foreign, ...probe.inside }, options)
  } catch (error) {
    await db.destroy()
    throw error
  }
}
