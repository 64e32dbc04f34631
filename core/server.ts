import type { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type Clock, SYSTEM_CLOCK, type Timer } from './clock.ts'
import { RunQueue } from './flow/run-queue.ts'
import { type Limits, withDefaults } from './limits.ts'
import { addressOf, type Listening, listenTcp, listenUnix } from './listeners.ts'
import { fingerprint, type KeyPair } from './noise/index.ts'
import { controlPlugin } from './plugin/control-plugin.ts'
import { Dispatcher } from './plugin/dispatcher.ts'
import {
  Bus,
  ServerStarted,
  SessionDrained,
  SessionEnded,
  SessionStarted,
  UserOffline,
  UserOnline,
} from './plugin/events.ts'
import type { AnyPlugin } from './plugin/plugin.ts'
import { factsOf, type PluginFacts } from './plugin/plugin-facts.ts'
import { PluginHost } from './plugin/plugin-host.ts'
import type { PluginFailure } from './plugin/plugin-record.ts'
import { type DatabaseLoad, IDLE_DATABASE } from './plugin/request-queue.ts'
import { Absentee } from './session/absentee.ts'
import { Admission } from './session/admission.ts'
import { Connection, type ConnectionHost } from './session/connection.ts'
import { Guest, type GuestHost, type Translator } from './session/guest.ts'
import type { Peer } from './session/peer.ts'
import { Presence } from './session/presence.ts'
import type { UserSession } from './session/session.ts'
import { Sessions } from './session/sessions.ts'
import { Users } from './session/users.ts'
import type { FailureName } from './wire/index.ts'
import { Catalogue, CONTROL_MESSAGES } from './wire/index.ts'

export interface ServerOptions {
  readonly staticKey: KeyPair
  /** 32 random bytes that stay the same for the life of the server; plugins derive their own from it. */
  readonly secret: Buffer
  readonly plugins: readonly AnyPlugin[]
  /** Generation of the database, handed to plugins; empty if left out. */
  readonly epoch?: string
  /** Options of plugins, by plugin name; each plugin checks its own. */
  readonly pluginOptions?: Readonly<Record<string, unknown>>
  /** Where those were written, for the error when some are wrong. */
  readonly optionsFrom?: string
  /** Those of the plugins that come with the server: what they report about themselves needs no prefix. */
  readonly builtIn?: readonly AnyPlugin[]
  /** Migrated database, handed to plugins; the server itself knows no SQL. */
  readonly db: Knex
  /** Tells a database that is down or full from a fault of a plugin: such a request is refused as `unavailable`. */
  readonly isUnavailable?: (error: unknown) => boolean
  /** How busy the database is: requests wait while it has no room for them. Never, if left out. */
  readonly databaseLoad?: DatabaseLoad
  readonly limits?: Partial<Limits>
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** Told of each failure of a plugin's code, which is logged in any case. */
  readonly pluginFailed?: (failure: PluginFailure) => void
  readonly log: Logger
  /** Who did what on the operator's side. */
  readonly audit: Logger
}

/** How often silent and stalled connections are looked at. */
const WATCH_MS = 1000

/** How often a stopping server looks whether its requests have been answered. */
const DRAIN_LOOK_MS = 5

/** A chat server without features: what it can do is in its plugins. */
export class Server {
  readonly limits: Limits
  readonly catalogue = new Catalogue(CONTROL_MESSAGES)
  readonly sessions: Sessions
  readonly fingerprint: string
  readonly #options: ServerOptions
  readonly #bus = new Bus()
  readonly #host: PluginHost
  readonly #dispatcher: Dispatcher
  readonly #connections = new Set<Peer>()
  readonly #admission: Admission
  readonly #started = new Set<UserSession>()
  /** Users of whom UserOnline was the last event. */
  readonly #online = new Set<number>()
  readonly #listeners: NetServer[] = []
  readonly #clock: Clock
  readonly #startedAt: number
  readonly #connectionHost: ConnectionHost & GuestHost
  #control: AnyPlugin | undefined
  #watch: Timer | undefined
  #lastGuest = 0
  #stopping: Promise<void> | undefined

  constructor(options: ServerOptions) {
    const { log, audit, db, staticKey, secret, epoch = '', clock = SYSTEM_CLOCK } = options
    this.#options = options
    this.#clock = clock
    this.#startedAt = clock.now()
    this.limits = withDefaults(options.limits)
    this.sessions = new Sessions(this.limits, clock)
    this.#admission = new Admission(this.limits, clock)
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
      sessions,
      users: new Users(sessions),
      presence: new Presence(sessions),
      limits,
      log,
      audit,
      db,
      secret,
      epoch,
      clock,
      pluginFailed: options.pluginFailed,
      absent: (user) => new Absentee(user, --this.#lastGuest),
      admit: (translator, address) => this.#admit(translator, address),
    })
    this.#connectionHost = {
      limits,
      staticKey,
      log,
      clock,
      queue: new RunQueue(clock),
      dispatch: (peer, frame) => this.#dispatcher.dispatch(peer, frame),
      isRated: (frame) => this.#dispatcher.isRated(frame),
      loggedIn: (session) => {
        const rates = sessions.add(session)
        this.#admission.remove(session)
        // After the reply to the login has been queued.
        setImmediate(() => {
          if (!session.open) return
          this.#started.add(session)
          this.#bus.emit(SessionStarted.name, session)
          const { user } = session
          if (this.#online.has(user.id)) return
          this.#online.add(user.id)
          this.#bus.emit(UserOnline.name, user)
        })
        return rates
      },
      drained: (session) => this.#bus.emit(SessionDrained.name, session),
      sent: (session, message, values) => this.#bus.emit(message.name, session, values),
      closed: (peer) => this.#closed(peer),
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
      const now = this.#clock.now()
      for (const connection of this.#connections) connection.watch(now)
    })
    this.#bus.emit(ServerStarted.name)
  }

  /** Listens on TCP; port 0 takes a free one. @throws SetupError */
  async listen(host: string, port: number): Promise<Listening> {
    const listener = await listenTcp(
      { host, port },
      (stream, address) => this.accept(stream, { address, isOperator: false }),
      this.#acceptFailed,
    )
    this.#listeners.push(listener)
    return addressOf(listener)
  }

  /**
   * Listens on a Unix socket with mode 0600, whose users are the operator. A socket left by a killed server is replaced.
   * @throws SetupError if a server still answers there
   */
  async listenControl(path: string) {
    const accept = (stream: Duplex) => this.accept(stream, { address: 'control', isOperator: true })
    this.#listeners.push(await listenUnix(path, accept, this.#acceptFailed))
  }

  /** Takes over a connected stream. */
  accept(stream: Duplex, origin: { readonly address: string; readonly isOperator: boolean }) {
    if (!this.#hasRoom(origin)) {
      // Nothing can be said before a handshake, and a handshake is what must not be spent here.
      stream.destroy()
      return
    }
    this.#take(new Connection(this.#connectionHost, stream, origin))
  }

  /** Takes in a peer of another protocol, through its translator; undefined where a connection would be closed. */
  #admit(translator: Translator, address: string): Guest | undefined {
    // Not before every plugin is there: a hook of one that is still to come would be missed.
    if (this.#watch === undefined || !this.#hasRoom({ address, isOperator: false })) return undefined
    // Numbered in one row with connections, but from the other end, since those number themselves.
    const guest = new Guest(this.#connectionHost, translator, { id: --this.#lastGuest, address })
    this.#take(guest)
    return guest
  }

  /** Whether one more connection of that origin may be. */
  #hasRoom({ address, isOperator }: { readonly address: string; readonly isOperator: boolean }): boolean {
    const isFull = this.#connections.size >= this.limits.connections
    if (this.#stopping === undefined && (isOperator || (!isFull && this.#admission.isInRate(address)))) return true
    this.#options.log.debug({ address }, 'connection refused: too many')
    return false
  }

  #take(peer: Peer) {
    this.#connections.add(peer)
    if (!peer.isOperator) this.#admission.add(peer)
  }

  /** What `chatctl status` shows. */
  status() {
    const plugins = this.#host.records.map(({ plugin, state }) => ({
      name: plugin.name,
      version: plugin.version,
      ...state,
    }))
    const reports: Record<string, number | string> = Object.fromEntries(
      this.#host.records.flatMap(({ plugin, report }) =>
        Object.entries(report).map(([name, value]) => [this.#isOwn(plugin) ? name : `${plugin.name}.${name}`, value]),
      ),
    )
    return {
      uptime: Math.round((this.#clock.now() - this.#startedAt) / 1000),
      pid: process.pid,
      fingerprint: this.fingerprint,
      connections: this.#connections.size,
      users: this.sessions.users,
      memory: process.memoryUsage().rss,
      ...reports,
      plugins,
    }
  }

  /** What `chatctl plugin list` shows, in the order in which they started. */
  plugins(): Promise<readonly PluginFacts[]> {
    return Promise.all(this.#host.records.map((record) => factsOf(record, this.#isOwn(record.plugin))))
  }

  #isOwn(plugin: AnyPlugin): boolean {
    return plugin === this.#control || (this.#options.builtIn ?? []).includes(plugin)
  }

  /**
   * Takes no more connections, lets requests under way finish (at most `limits.drain`), tells every peer, stops the
   * plugins. Calling it again waits for the same stop.
   */
  stop(reason: FailureName = 'shutting_down'): Promise<void> {
    this.#stopping ??= this.#stop(reason)
    return this.#stopping
  }

  async #stop(reason: FailureName) {
    this.#watch?.cancel()
    for (const listener of this.#listeners) listener.close()
    for (const connection of this.#connections) connection.takeNoMore()
    const clock = this.#clock
    const end = clock.now() + this.limits.drain
    const busy = () => [...this.#connections].some(({ inFlight }) => inFlight > 0)
    while (busy() && clock.now() < end) await new Promise<void>((resolve) => clock.after(DRAIN_LOOK_MS, resolve))
    const gone = [...this.#connections].map((connection) => connection.closed)
    for (const connection of this.#connections) connection.close(reason)
    await Promise.all(gone)
    await this.#host.stop()
  }

  readonly #acceptFailed = (error: Error) => this.#options.log.error({ err: error }, 'cannot accept a connection')

  #closed(connection: Peer) {
    this.#connections.delete(connection)
    if (connection.user === undefined) {
      if (!connection.isOperator) this.#admission.remove(connection)
      return
    }
    const session = connection as UserSession
    this.sessions.remove(session)
    // Each beginning that was told has its end, and no other.
    if (this.#started.delete(session)) this.#bus.emit(SessionEnded.name, session)
    const { user } = session
    if (this.sessions.of(user.id).size === 0 && this.#online.delete(user.id)) this.#bus.emit(UserOffline.name, user)
  }
}

/** Makes a server and starts its plugins; it listens nowhere yet. @throws SetupError */
export async function createServer(options: ServerOptions): Promise<Server> {
  const server = new Server(options)
  await server.start()
  return server
}
