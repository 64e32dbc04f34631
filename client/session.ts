import { EventEmitter } from 'eventemitter3'
import { randomBytes } from '#platform/crypto'
import { type PreHash, startLogin, storedKey } from '../core/scram/index.ts'
import {
  type Catalogue,
  type ClientMessage,
  encode,
  fromEntries,
  type InputOf,
  KeepAlive,
  Ping,
  QueryProtocol,
  type ReplyOf,
  type ServerMessage,
  type ValuesOf,
} from '../core/wire/index.ts'
import { ActAs } from '../plugins/admin/messages.ts'
import { Once } from '../plugins/idempotency/messages.ts'
import { ChangePassword, Login, Logout } from '../plugins/login/messages.ts'
import { NewSalt, Register } from '../plugins/registration/messages.ts'
import type { Connection } from './connection.ts'
import { Credentials, checkNewPassword, deriveWith, type LoginKeys } from './credentials.ts'
import { ClientError } from './errors.ts'
import { replyIn } from './keyed.ts'
import { type KeyedOptions, Link, type LinkOptions } from './link.ts'
import { type DeviceCredentials, logIn, logInWithDevice } from './login.ts'
import type { Identity, LifeEvents } from './types.ts'

/** Time that closing waits for the reply to the logout. */
const LOGOUT_TIMEOUT_MS = 2000

/** Subscribes to pushes on a connection. */
export type Subscribe<T> = (connection: Connection, signal: AbortSignal) => Promise<T>

/** A user's session across reconnects: login, requests and pushes. Client adds everything about chat messages. */
export class Session {
  protected readonly catalogue: Catalogue
  protected readonly link: Link
  protected readonly life = new EventEmitter<LifeEvents>()
  readonly #pushes = new EventEmitter()
  #credentials: Credentials | undefined
  /** Repeats the login on another connection. */
  #logIn: ((connection: Connection) => Promise<Identity>) | undefined
  #actAs: string | undefined
  /** The name of the account; its case may differ from the one at the login. */
  #self: string | undefined
  /** A ping that answers the server's `keep_alive` is in flight. */
  #isAnswering = false
  /** Generation of the server's database at the last login; empty if the server does not name it. */
  #epoch = ''
  /** The latest subscription, renewed after a reconnect. */
  #subscribe: Subscribe<unknown> | undefined

  constructor(options: LinkOptions) {
    this.catalogue = options.catalogue
    this.link = new Link(
      options,
      (message, values) => this.#pushed(message, values),
      (connection) => this.#resume(connection),
    )
    for (const event of ['disconnected', 'reconnected', 'closed'] as const)
      this.link.on(event, (...payload) => this.life.emit(event, ...(payload as [ClientError])))
  }

  /** The server's fingerprint. */
  get fingerprint(): string {
    return this.link.connection.fingerprint
  }

  /** The Noise handshake hash of the connection, 32 bytes: the channel binding of a login. */
  get handshakeHash(): Buffer {
    return this.link.connection.handshakeHash
  }

  /** Keys of the last login, to log in later without the password. */
  get keys(): LoginKeys | undefined {
    return this.#credentials?.keys
  }

  /** @throws ClientError */
  connect(): Promise<void> {
    return this.link.connect()
  }

  /** Sends any request of the catalogue and waits for its reply; not retried without a `key`. @throws ClientError, WireError */
  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, ...options }: KeyedOptions = {},
  ): Promise<ReplyOf<M>> {
    const signal = this.link.limit(options)
    if (key === undefined) return this.link.connection.request(message, values, { signal })
    const request = encode(message, 0, values)
    const once = () => this.link.connection.request(Once, { key, request }, { signal })
    return replyIn(message, (await this.link.retryOverReconnects(once, signal)).reply)
  }

  /** Adds a listener for pushes of a type. @returns a function that removes it */
  on<M extends ServerMessage>(message: M, listener: (values: ValuesOf<M>) => void): () => void {
    this.#pushes.on(message.name, listener)
    return () => this.#pushes.off(message.name, listener)
  }

  /** Adds a listener for a life cycle event, see `LifeEvents`. @returns a function that removes it */
  onLife<E extends keyof LifeEvents>(event: E, listener: (...payload: LifeEvents[E]) => void): () => void {
    this.life.on(event, listener as never)
    return () => this.life.off(event, listener as never)
  }

  /** Creates an account. The password does not leave this process. @throws RefusedByServer, ScramError `password` */
  async register(user: string, password: string, { nickname = '' }: { nickname?: string } = {}) {
    const keys = await this.#newKeys(password)
    return this.request(Register, { user, nickname, ...keys })
  }

  /**
   * Logs in with a password or with keys of an earlier login.
   * @throws RefusedByServer `login_failed` and others; ClientError `authentication` when the server fails to prove that
   *   it knows the account
   */
  async login(user: string, secret: { password?: string; keys?: LoginKeys }): Promise<Identity> {
    const credentials = new Credentials(user, secret, this.link.leastIterations)
    const identity = await this.#enter((connection) => logIn(connection, credentials, () => this.link.limit()))
    this.#credentials = credentials
    return identity
  }

  /**
   * Logs in with the key of a device, which `AddDevice` has added in a session of the user. Connect with a `pin`, or keep
   * the key of the server: this login does not prove that the server knows the account.
   * @throws RefusedByServer `login_failed` and others
   */
  async loginWithDevice(device: DeviceCredentials): Promise<Identity> {
    const identity = await this.#enter((connection) => logInWithDevice(connection, device, () => this.link.limit()))
    this.#credentials = undefined
    return identity
  }

  async #enter(logIn: (connection: Connection) => Promise<Identity>): Promise<Identity> {
    const identity = await logIn(this.link.connection)
    this.#logIn = logIn
    this.#epoch = identity.epoch
    this.#self = identity.user
    return identity
  }

  /** On a control socket: acts as a user without a password. @throws RefusedByServer */
  async actAs(user: string) {
    await this.request(ActAs, { user })
    this.#actAs = user
  }

  /** Changes this user's password; the server ends the user's other sessions. @throws RefusedByServer, ClientError */
  async changePassword(oldPassword: string, newPassword: string) {
    const user = this.#credentials?.user ?? this.#self
    if (user === undefined) throw new ClientError('authentication', 'log in first')
    const { connection } = this.link
    const old = startLogin(user)
    const challenge = { clientFirst: old.clientFirst }
    const { serverFirst, preHash } = await connection.request(Login, challenge, { signal: this.link.limit() })
    const source = new Credentials(user, { password: oldPassword }, this.link.leastIterations).source(preHash)
    const { clientFinal } = await old.answer(serverFirst, connection.handshakeHash, source)
    const keys = await this.#newKeys(newPassword)
    await connection.request(ChangePassword, { clientFinal, ...keys }, { signal: this.link.limit() })
    const credentials = new Credentials(user, { password: newPassword }, this.link.leastIterations)
    this.#credentials = credentials
    this.#logIn = (later) => logIn(later, credentials, () => this.link.limit())
  }

  /** Adds the message types of this server's plugins to the catalogue, which it returns. */
  async learn(): Promise<Catalogue> {
    const { json } = await this.request(QueryProtocol, {})
    for (const message of fromEntries(JSON.parse(json)))
      if (this.catalogue.byType(message.type) === undefined) this.catalogue.add(message, 'the server')
    return this.catalogue
  }

  /** Logs out and closes. Rejects requests in flight. */
  close(): Promise<void> {
    return this.link.close((connection) =>
      connection.request(Logout, {}, { signal: AbortSignal.timeout(LOGOUT_TIMEOUT_MS) }),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Subscribes to pushes, retried until the server replies, and again after each reconnect. Replaces the subscription
   * before.
   * @param signal the only time limit
   */
  protected async subscribe<T>(ask: Subscribe<T>, signal?: AbortSignal): Promise<T> {
    this.#subscribe = ask
    try {
      return await this.link.retryUntilAnswered((limit) => ask(this.link.connection, limit), signal)
    } catch (error) {
      this.unsubscribe(ask)
      throw error
    }
  }

  /** Stops renewing a subscription after reconnects. */
  protected unsubscribe(ask: Subscribe<unknown>) {
    if (this.#subscribe === ask) this.#subscribe = undefined
  }

  /** Whether a name is that of the user. Names are in lower case, but for those of adopted databases. */
  protected isSelf(name: string): boolean {
    const self = this.#self ?? this.#actAs
    return name === self || (this.#self === undefined && name === self?.toLowerCase())
  }

  /** Called before a new connection is used, if the server's database has a new generation: known ids are stale. */
  protected restored() {
    this.life.emit('restored')
  }

  /** Processes a push, before its listeners. */
  protected pushed(message: ServerMessage, _values: unknown) {
    if (message !== KeepAlive || this.#isAnswering) return
    // One ping in flight at a time, however often the server sends keep_alive.
    this.#isAnswering = true
    const done = () => {
      this.#isAnswering = false
    }
    this.request(Ping, {}).then(done, done)
  }

  async #newKeys(password: string): Promise<{ storedKey: Buffer; serverKey: Buffer; preHash: PreHash }> {
    const made = await this.request(NewSalt, { clientSalt: randomBytes(16) })
    checkNewPassword(password, made.minPassword)
    const keys = await deriveWith(password, made, this.link.leastIterations)
    return { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey, preHash: made.preHash }
  }

  /** Logs in and subscribes on a new connection. */
  async #resume(connection: Connection) {
    if (this.#logIn !== undefined) {
      const { epoch } = await this.#logIn(connection)
      const before = this.#epoch
      this.#epoch = epoch
      if (before !== '' && epoch !== '' && epoch !== before) this.restored()
    }
    if (this.#actAs !== undefined) await connection.request(ActAs, { user: this.#actAs }, { signal: this.link.limit() })
    await this.#subscribe?.(connection, this.link.limit())
  }

  #pushed(message: ServerMessage, values: unknown) {
    this.pushed(message, values)
    this.#pushes.emit(message.name, values)
  }
}
