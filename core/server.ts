import type { Duplex } from 'node:stream'
import { type Clock, SYSTEM_CLOCK, type Timer } from './clock.ts'
import { ALONE } from './cluster/cluster.ts'
import { RunQueue } from './flow/run-queue.ts'
import { waitWhile } from './flow/wait-while.ts'
import { Readiness } from './http/readiness.ts'
import { Routes } from './http/routes.ts'
import type { Limits } from './limits.ts'
import type { HttpListener, HttpOptions } from './listeners/http.ts'
import { Listeners } from './listeners/listeners.ts'
import type { TcpAddress, TcpListener } from './listeners/tcp.ts'
import { MetricRegistry } from './metrics/registry.ts'
import { fingerprint } from './noise/index.ts'
import { controlPlugin } from './plugin/control-plugin.ts'
import { limitsInForce } from './plugin/definitions.ts'
import { Dispatcher } from './plugin/dispatcher.ts'
import { Bus, ServerStarted, SessionDrained } from './plugin/events.ts'
import type { AnyPlugin } from './plugin/plugin.ts'
import type { PluginFacts } from './plugin/plugin-facts.ts'
import { PluginHost } from './plugin/plugin-host.ts'
import { IDLE_DATABASE } from './plugin/request-queue.ts'
import type { ServerFigures } from './plugin/server-metrics.ts'
import { SessionEvents } from './plugin/session-events.ts'
import type { ServerOptions } from './server-options.ts'
import { Admission } from './session/admission.ts'
import { type NativeHost, NativeTransport } from './session/native.ts'
import { OtherNodes } from './session/other-nodes.ts'
import { type Origin, PeerSession, type SessionHost } from './session/peer-session.ts'
import { Presence } from './session/presence.ts'
import type { UserSession } from './session/session.ts'
import { Sessions } from './session/sessions.ts'
import type { Transport, TransportSession } from './session/transport.ts'
import { Users } from './session/users.ts'
import type { FailureName } from './wire/index.ts'
import { Catalogue, CONTROL_MESSAGES } from './wire/index.ts'

/** How often silent and stalled connections are looked at. */
const WATCH_MS = 1000

/** A chat server without features: what it can do is in its plugins. */
export class Server {
  readonly limits: Limits
  readonly catalogue = new Catalogue(CONTROL_MESSAGES)
  readonly sessions: Sessions
  readonly presence: Presence
  readonly fingerprint: string
  readonly #options: ServerOptions
  readonly #bus = new Bus()
  readonly #host: PluginHost
  readonly #dispatcher: Dispatcher
  readonly #connections = new Set<PeerSession>()
  readonly #admission: Admission
  readonly #others: OtherNodes | undefined
  readonly #sessionEvents: SessionEvents
  readonly #listeners: Listeners
  readonly #routes = new Routes()
  readonly #readiness: Readiness
  readonly #clock: Clock
  readonly #startedAt: number
  readonly #sessionHost: SessionHost & NativeHost
  #control: AnyPlugin | undefined
  #watch: Timer | undefined
  #stopping: Promise<void> | undefined
  #accepted = 0
  #refused = 0

  constructor(options: ServerOptions) {
    const { log, audit, db, staticKey, secret, epoch = '', clock = SYSTEM_CLOCK, cluster } = options
    this.#options = options
    this.#clock = clock
    this.#startedAt = clock.now()
    this.limits = limitsInForce(options.plugins, options.limits, options.builtIn)
    this.#others = cluster && new OtherNodes({ cluster, clock, log, catalogue: this.catalogue })
    this.sessions = new Sessions(this.limits, clock, this.#others)
    this.presence = new Presence(this.sessions, this.#others?.users)
    this.#sessionEvents = new SessionEvents(this.#bus, this.presence)
    this.#listeners = new Listeners(log)
    this.#admission = new Admission(this.limits, clock)
    this.#readiness = new Readiness({
      clock,
      isOpen: () => this.#isReady && this.#stopping === undefined,
      checkDatabase: options.checkDatabase ?? (async () => {}),
    })
    this.fingerprint = fingerprint(staticKey.publicKey)
    this.#dispatcher = new Dispatcher({
      catalogue: this.catalogue,
      bus: this.#bus,
      limits: this.limits,
      clock,
      isUnavailable: options.isUnavailable ?? (() => false),
      databaseLoad: options.databaseLoad ?? IDLE_DATABASE,
    })
    const { sessions, limits, catalogue } = this
    this.#host = new PluginHost({
      bus: this.#bus,
      dispatcher: this.#dispatcher,
      catalogue,
      routes: this.#routes,
      metrics: new MetricRegistry(),
      users: new Users(sessions, this.#others?.relay),
      presence: this.presence,
      limits,
      log,
      audit,
      db,
      secret,
      epoch,
      clock,
      cluster: cluster ?? ALONE,
      eventRelay: this.#others?.events,
      pluginFailed: options.pluginFailed,
      isOwn: (plugin) => plugin === this.#control || (options.builtIn ?? []).includes(plugin),
      onBehalfOf: (user) => PeerSession.detached(this.#sessionHost, user),
      remote: (user, address) => PeerSession.detached(this.#sessionHost, user, address),
      accept: (stream, address) => (this.#isReady ? this.accept(stream, { address }) : stream.destroy()),
      admit: (transport, address) => this.#admit(transport, address),
    })
    this.#sessionHost = {
      limits,
      staticKey,
      log,
      clock,
      queue: new RunQueue(clock),
      requests: this.#dispatcher,
      loggedIn: (session) => {
        const rates = sessions.add(session)
        this.#admission.remove(session)
        // After the reply to the login has been queued.
        setImmediate(() => this.#sessionEvents.started(session))
        return rates
      },
      ratesOf: (user) => sessions.ratesOf(user),
      drained: (session) => this.#bus.emit(SessionDrained.name, session),
      sent: (session, message, values) => this.#bus.emit(message.name, session, values),
      closed: (session) => this.#closed(session),
    }
  }

  /** Starts the plugins. @throws SetupError */
  async start() {
    const { plugins, pluginOptions = {}, optionsFrom } = this.#options
    this.#control = controlPlugin(this)
    try {
      await this.#host.start([this.#control, ...plugins], pluginOptions, optionsFrom)
    } catch (error) {
      await this.#host.stop()
      throw error
    }
    this.#watch = this.#clock.every(WATCH_MS, () => {
      for (const connection of this.#connections) connection.watch(this.#clock.now())
    })
    this.#others?.start(this.sessions, this.#sessionEvents)
    this.#bus.emit(ServerStarted.name)
  }

  /** Listens on TCP. @throws SetupError */
  listen(where: TcpAddress): Promise<TcpListener> {
    return this.#listeners.tcp(where, (stream, address) => this.accept(stream, { address }))
  }

  /** Listens for HTTP and WebSockets. @throws SetupError */
  listenHttp(options: HttpOptions): Promise<HttpListener> {
    return this.#listeners.http(options, {
      onConnection: (stream, address) => this.#serve(stream, { address }),
      routes: this.#routes,
      limits: this.limits,
      clock: this.#clock,
      admits: (address) => this.#admits({ address }),
      readiness: this.#readiness,
    })
  }

  /**
   * Listens on a Unix socket with mode 0600, whose users are the operator. The socket of a killed server is replaced.
   * @throws SetupError if a server still answers there
   */
  listenControl(path: string): Promise<void> {
    return this.#listeners.unix(path, (stream) => this.accept(stream, { address: 'control', isOperator: true }))
  }

  /** Takes over a connected stream on which the peer speaks the native protocol. */
  accept(stream: Duplex, origin: Origin) {
    // A stream that has closed will not report it again.
    if (stream.destroyed) return
    // No failure can be sent before a handshake, and a handshake is too expensive for a full server.
    if (!this.#admits(origin)) stream.destroy()
    else this.#serve(stream, origin)
  }

  #serve(stream: Duplex, origin: Origin) {
    this.#take(new PeerSession(this.#sessionHost, new NativeTransport(this.#sessionHost, stream), origin))
  }

  /** Takes in a peer of another protocol; undefined where a connection would be closed. */
  #admit(transport: Transport, address: string): TransportSession | undefined {
    if (!this.#isReady || !this.#admits({ address })) return undefined
    const session = new PeerSession(this.#sessionHost, transport, { address })
    this.#take(session)
    return session
  }

  /** True once every plugin has started. A session that a plugin took in before would miss the hooks of later ones. */
  get #isReady(): boolean {
    return this.#watch !== undefined
  }

  /** Whether one more connection is admitted; counts it. */
  #admits({ address, isOperator = false }: Origin): boolean {
    const isFull = this.#connections.size >= this.limits.connections
    if (this.#stopping === undefined && (isOperator || (!isFull && this.#admission.isInRate(address)))) return true
    this.#refused++
    this.#options.log.debug({ address }, 'connection refused: no room, or stopping')
    return false
  }

  #take(session: PeerSession) {
    this.#connections.add(session)
    this.#accepted++
    if (!session.isOperator) this.#admission.add(session)
    session.start()
  }

  /** Numbers for the metrics. */
  figures(): ServerFigures {
    return {
      connections: this.#connections,
      accepted: this.#accepted,
      refused: this.#refused,
      users: this.sessions.users,
      requests: this.#dispatcher.load,
      outcomes: this.#dispatcher.outcomes.samples(),
      plugins: this.#host.records,
    }
  }

  /** Data of `chatctl status`. */
  status() {
    return {
      uptime: Math.round((this.#clock.now() - this.#startedAt) / 1000),
      pid: process.pid,
      fingerprint: this.fingerprint,
      connections: this.#connections.size,
      users: this.sessions.users,
      memory: process.memoryUsage().rss,
      ...this.#listeners.report(),
      ...this.#host.reports,
      plugins: this.#host.states,
    }
  }

  /** The plugins as `chatctl plugin list` shows them, in the order of their start. */
  plugins(): Promise<readonly PluginFacts[]> {
    return this.#host.facts()
  }

  /**
   * Graceful shutdown: accepts no further connections, lets requests in flight finish (at most `limits.drain`), sends
   * `closing` to every peer, stops the plugins. A second call waits for the same stop.
   */
  stop(reason: FailureName = 'shutting_down'): Promise<void> {
    this.#stopping ??= this.#stop(reason)
    return this.#stopping
  }

  async #stop(reason: FailureName) {
    this.#watch?.cancel()
    this.#listeners.close()
    for (const connection of this.#connections) connection.stopAccepting()
    const busy = () => this.#listeners.isBusy || [...this.#connections].some(({ inFlight }) => inFlight > 0)
    await waitWhile(busy, this.limits.drain, this.#clock)
    const gone = [...this.#connections].map((connection) => connection.closed)
    for (const connection of this.#connections) connection.close(reason)
    this.#listeners.destroy()
    await Promise.all(gone)
    this.#others?.stop()
    await this.#host.stop()
  }

  #closed(connection: PeerSession) {
    this.#connections.delete(connection)
    if (!isAttached(connection)) {
      if (!connection.isOperator) this.#admission.remove(connection)
      return
    }
    this.sessions.remove(connection)
    this.#sessionEvents.ended(connection)
  }
}

const isAttached = (session: PeerSession): session is PeerSession & UserSession => session.user !== undefined

/** Makes a server and starts its plugins; it listens nowhere yet. @throws SetupError */
export async function createServer(options: ServerOptions): Promise<Server> {
  const server = new Server(options)
  await server.start()
  return server
}
