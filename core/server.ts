import { randomInt } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import {
  type AddressInfo,
  createConnection,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { Absentee } from './absentee.ts'
import { type Clock, SYSTEM_CLOCK, type Timer } from './clock.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { controlPlugin } from './control-plugin.ts'
import { Dispatcher } from './dispatcher.ts'
import { SetupError } from './errors.ts'
import { Bus, ServerStarted, SessionDrained, SessionEnded, SessionStarted } from './events.ts'
import { Guest, type GuestHost, type Translator } from './guest.ts'
import { type Limits, withDefaults } from './limits.ts'
import { fingerprint, type KeyPair } from './noise/index.ts'
import type { Peer } from './peer.ts'
import type { AnyPlugin } from './plugin.ts'
import { factsOf, type PluginFacts } from './plugin-facts.ts'
import { PluginHost } from './plugin-host.ts'
import type { PluginFailure } from './plugin-record.ts'
import type { UserSession } from './session.ts'
import { Sessions } from './sessions.ts'
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
  readonly limits?: Partial<Limits>
  /** The system's unless a test sets its own. */
  readonly clock?: Clock
  /** Told of each failure of a plugin's code, which is logged in any case. */
  readonly pluginFailed?: (failure: PluginFailure) => void
  readonly log: Logger
  /** Who did what on the operator's side. */
  readonly audit: Logger
}

export interface Listening {
  readonly host: string
  readonly port: number
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
  /** How many connections of an address are not logged in. */
  readonly #strangers = new Map<string, number>()
  /** All of those, but for the ones that were told to go. */
  readonly #waiting = new Set<Peer>()
  readonly #started = new Set<UserSession>()
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
    this.fingerprint = fingerprint(staticKey.publicKey)
    this.#dispatcher = new Dispatcher({
      catalogue: this.catalogue,
      bus: this.#bus,
      limits: this.limits,
      clock,
      isUnavailable: options.isUnavailable ?? (() => false),
    })
    const { sessions, limits, catalogue } = this
    this.#host = new PluginHost({
      bus: this.#bus,
      dispatcher: this.#dispatcher,
      catalogue,
      sessions,
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
      catalogue,
      staticKey,
      log,
      clock,
      dispatch: (peer, frame) => this.#dispatcher.dispatch(peer, frame),
      isRated: (frame) => this.#dispatcher.isRated(frame),
      loggedIn: (session) => {
        const requests = sessions.add(session)
        this.#noLongerStranger(session)
        // After the reply to the login has been queued.
        setImmediate(() => {
          if (!session.open) return
          this.#started.add(session)
          this.#bus.emit(SessionStarted.name, session)
        })
        return requests
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
    const listener = createNetServer({ noDelay: true }, (socket) =>
      this.accept(socket, { address: addressOf(socket), isOperator: false }),
    )
    await started(listener, () => listener.listen(port, host), `${host}:${port}`, this.#acceptFailed)
    this.#listeners.push(listener)
    const address = listener.address() as AddressInfo
    return { host: address.address, port: address.port }
  }

  /**
   * Listens on a Unix socket with mode 0600, whose users are the operator. A socket left by a killed server is replaced.
   * @throws SetupError if a server still answers there
   */
  async listenControl(path: string) {
    if (await answers(path)) throw new SetupError(`another server uses ${path}`)
    await rm(path, { force: true })
    const listener = createNetServer((socket) => this.accept(socket, { address: 'control', isOperator: true }))
    await started(listener, () => listener.listen(path), path, this.#acceptFailed)
    // Between these two lines the umask holds, and the folder around it, which is the operator's alone.
    await chmod(path, 0o600)
    this.#listeners.push(listener)
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
  #hasRoom(origin: { readonly address: string; readonly isOperator: boolean }): boolean {
    const { connections, unauthenticatedPerAddress } = this.limits
    const fromThere = this.#strangers.get(origin.address) ?? 0
    const full = this.#connections.size >= connections || fromThere >= unauthenticatedPerAddress
    if (this.#stopping !== undefined || (full && !origin.isOperator)) {
      this.#options.log.debug({ address: origin.address }, 'connection refused: too many')
      return false
    }
    return true
  }

  #take(peer: Peer) {
    this.#connections.add(peer)
    if (peer.isOperator) return
    if (this.#waiting.size >= this.limits.unauthenticated) this.#turnOneAway()
    this.#strangers.set(peer.address, (this.#strangers.get(peer.address) ?? 0) + 1)
    this.#waiting.add(peer)
  }

  /**
   * By lot: who holds many connections open without logging in loses most of them, and who comes to log in is gone from
   * here within milliseconds. Were newcomers refused instead, a few slow peers could keep everybody out.
   */
  #turnOneAway() {
    const unlucky = [...this.#waiting][randomInt(this.#waiting.size)]
    if (unlucky === undefined) return
    this.#waiting.delete(unlucky)
    unlucky.close('timed_out')
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
      if (!connection.isOperator) this.#noLongerStranger(connection)
      return
    }
    const session = connection as UserSession
    this.sessions.remove(session)
    // Each beginning that was told has its end, and no other.
    if (this.#started.delete(session)) this.#bus.emit(SessionEnded.name, session)
  }

  #noLongerStranger(peer: Peer) {
    const { address } = peer
    this.#waiting.delete(peer)
    const left = (this.#strangers.get(address) ?? 0) - 1
    if (left > 0) this.#strangers.set(address, left)
    else this.#strangers.delete(address)
  }
}

/** Makes a server and starts its plugins; it listens nowhere yet. @throws SetupError */
export async function createServer(options: ServerOptions): Promise<Server> {
  const server = new Server(options)
  await server.start()
  return server
}

function addressOf(socket: Socket): string {
  // An IPv4 peer of a dual-stack listener is the same peer as on an IPv4 one.
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '')
}

function started(
  listener: NetServer,
  listen: () => void,
  where: string,
  onAcceptError: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use' : error.message
      reject(new SetupError(`cannot listen on ${where}: ${why}`, { cause: error }))
    })
    listener.once('listening', () => {
      // From now on an error is one of accepting a connection, such as too many open files: not the listener's end.
      listener.removeAllListeners('error').on('error', onAcceptError)
      resolve()
    })
    listen()
  })
}

/** Whether anyone accepts connections on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path)
    probe.once('connect', () => resolve(true))
    // Any other error, a missing permission for one, may well hide a living server.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'))
    probe.once('connect', () => probe.destroy())
  })
}
