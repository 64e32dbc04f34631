import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'eventemitter3'
import { startLogin, storedKey } from '../core/scram/index.ts'
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
import { Credentials, checkNewPassword, deriveWith, type LoginKeys } from './credentials.ts'
import { ClientError } from './errors.ts'
import { replyIn } from './keyed.ts'
import type { Line } from './line.ts'
import { type KeyedOptions, Link, type LinkOptions } from './link.ts'
import { logIn } from './login.ts'
import type { Identity, LifeEvents } from './types.ts'

/** How long closing waits for the server's word that it is. */
const FAREWELL_MS = 2000

/** Asks for pushes on a connection. */
export type Subscribe<T> = (line: Line, signal: AbortSignal) => Promise<T>

/** Who one is on a server, over all connections: the login, requests, pushes. What a Client adds is about messages. */
export class Session {
  protected readonly catalogue: Catalogue
  protected readonly link: Link
  protected readonly life = new EventEmitter<LifeEvents>()
  readonly #pushes = new EventEmitter()
  #credentials: Credentials | undefined
  #actAs: string | undefined
  /** Which data the server counts its numbers in; empty where it does not say. */
  /** Whether a `keep_alive` of the server is being answered. */
  #isAnswering = false
  #epoch = ''
  /** Asks again after a reconnect for what was asked for last. */
  #subscribe: Subscribe<unknown> | undefined

  constructor(options: LinkOptions) {
    this.catalogue = options.catalogue
    this.link = new Link(
      options,
      (message, values) => this.#pushed(message, values),
      (line) => this.#restore(line),
    )
    for (const event of ['disconnected', 'reconnected', 'closed'] as const)
      this.link.on(event, (...payload) => this.life.emit(event, ...(payload as [ClientError])))
  }

  /** The server's fingerprint. */
  get fingerprint(): string {
    return this.link.line.fingerprint
  }

  /** What a login is bound to: the Noise handshake hash of the connection, 32 bytes. */
  get handshakeHash(): Buffer {
    return this.link.line.handshakeHash
  }

  /** Keys of the last login with a password, to log in later without it. */
  get keys(): LoginKeys | undefined {
    return this.#credentials?.keys
  }

  /** @throws ClientError */
  connect(): Promise<void> {
    return this.link.connect()
  }

  /** Sends any message of the catalogue and waits for its reply. @throws ClientError, WireError */
  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, ...options }: KeyedOptions = {},
  ): Promise<ReplyOf<M>> {
    const signal = this.link.limit(options)
    if (key === undefined) return this.link.line.request(message, values, { signal })
    const request = encode(message, 0, values)
    const once = () => this.link.line.request(Once, { key, request }, { signal })
    return replyIn(message, (await this.link.overReconnects(once, signal)).reply)
  }

  /** Told of each push of that type. Returns the function that ends it. */
  on<M extends ServerMessage>(message: M, listener: (values: ValuesOf<M>) => void): () => void {
    this.#pushes.on(message.name, listener)
    return () => this.#pushes.off(message.name, listener)
  }

  /** Told of the client's life, see `LifeEvents`. Returns the function that ends it. */
  onLife<E extends keyof LifeEvents>(event: E, listener: (...payload: LifeEvents[E]) => void): () => void {
    this.life.on(event, listener as never)
    return () => this.life.off(event, listener as never)
  }

  /** Makes an account. The password does not leave this process. @throws RefusedByServer, ScramError `password` */
  async register(user: string, password: string, { nickname = '' }: { nickname?: string } = {}) {
    const keys = await this.#newKeys(password)
    return this.request(Register, { user, nickname, ...keys })
  }

  /**
   * Logs in with a password or with kept keys.
   * @throws RefusedByServer `login_failed` and others; ClientError `authentication` when the server does not prove that
   *   it knows the account
   */
  async login(user: string, secret: { password?: string; keys?: LoginKeys }): Promise<Identity> {
    const credentials = new Credentials(user, secret, this.link.leastIterations)
    const identity = await logIn(this.link.line, credentials, () => this.link.limit())
    this.#credentials = credentials
    this.#epoch = identity.epoch
    return identity
  }

  /** On a control socket: goes on as that user, without a password. */
  async actAs(user: string) {
    await this.request(ActAs, { user })
    this.#actAs = user
  }

  /** Changes the own password; other sessions of this user end. */
  async changePassword(oldPassword: string, newPassword: string) {
    const user = this.#credentials?.user
    if (user === undefined) throw new ClientError('authentication', 'log in first')
    const { line } = this.link
    const old = startLogin(user)
    const challenge = { clientFirst: old.clientFirst }
    const { serverFirst, preHash } = await line.request(Login, challenge, { signal: this.link.limit() })
    const source = new Credentials(user, { password: oldPassword }, this.link.leastIterations).source(preHash)
    const { clientFinal } = await old.answer(serverFirst, line.handshakeHash, source)
    const keys = await this.#newKeys(newPassword)
    await line.request(ChangePassword, { clientFinal, ...keys }, { signal: this.link.limit() })
    this.#credentials = new Credentials(user, { password: newPassword }, this.link.leastIterations)
  }

  /** Learns the message types of this server's plugins; returns all that are known now. */
  async learn(): Promise<Catalogue> {
    const { json } = await this.request(QueryProtocol, {})
    for (const message of fromEntries(JSON.parse(json)))
      if (this.catalogue.byType(message.type) === undefined) this.catalogue.add(message, 'the server')
    return this.catalogue
  }

  /** Logs out and closes. Requests without a reply are rejected. */
  close(): Promise<void> {
    return this.link.close((line) => line.request(Logout, {}, { signal: AbortSignal.timeout(FAREWELL_MS) }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Asks for pushes until they come, and again on each new connection, in place of what was asked for before.
   * @param signal the only limit
   */
  protected async subscribe<T>(ask: Subscribe<T>, signal?: AbortSignal): Promise<T> {
    this.#subscribe = ask
    try {
      return await this.link.persist((limit) => ask(this.link.line, limit), signal)
    } catch (error) {
      this.unsubscribe(ask)
      throw error
    }
  }

  /** A new connection does not ask for these pushes any more. */
  protected unsubscribe(ask: Subscribe<unknown>) {
    if (this.#subscribe === ask) this.#subscribe = undefined
  }

  /** Before a new connection is used, when the server counts its numbers anew. */
  protected restored() {
    this.life.emit('restored')
  }

  /** A push has come; listeners are told afterwards. */
  protected pushed(message: ServerMessage, _values: unknown) {
    if (message !== KeepAlive || this.#isAnswering) return
    // One at a time: however often a server asks, it is answered when it has heard the last answer.
    this.#isAnswering = true
    const answered = () => {
      this.#isAnswering = false
    }
    this.request(Ping, {}).then(answered, answered)
  }

  async #newKeys(password: string): Promise<{ storedKey: Buffer; serverKey: Buffer; preHash: string }> {
    const made = await this.request(NewSalt, { clientSalt: randomBytes(16) })
    checkNewPassword(password, made.minPassword)
    const keys = await deriveWith(password, made, this.link.leastIterations)
    return { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey, preHash: made.preHash }
  }

  async #restore(line: Line) {
    if (this.#credentials !== undefined) {
      const { epoch } = await logIn(line, this.#credentials, () => this.link.limit())
      const before = this.#epoch
      this.#epoch = epoch
      if (before !== '' && epoch !== '' && epoch !== before) this.restored()
    }
    if (this.#actAs !== undefined) await line.request(ActAs, { user: this.#actAs }, { signal: this.link.limit() })
    await this.#subscribe?.(line, this.link.limit())
  }

  #pushed(message: ServerMessage, values: unknown) {
    this.pushed(message, values)
    this.#pushes.emit(message.name, values)
  }
}
