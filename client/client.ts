import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'eventemitter3'
import { deriveKeys, ScramError, startLogin, storedKey } from '../core/scram/index.ts'
import {
  type Catalogue,
  type ClientMessage,
  Closing,
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
import { AcknowledgeRoom, ChatroomMessage, QueryRoomHistory } from '../plugins/groups/messages.ts'
import { ChangePassword, Login, LoginProof, Logout } from '../plugins/login/messages.ts'
import {
  Acknowledge,
  OnNewMessage,
  QueryHistory,
  QueryInbox,
  Receive,
  SendMessage,
} from '../plugins/messages/messages.ts'
import { NewSalt, Register } from '../plugins/registration/messages.ts'
import { type Address, Channel } from './channel.ts'
import { type ChatMessage, type TextStyle, toChatMessage } from './chat-message.ts'
import { Credentials, type LoginKeys } from './credentials.ts'
import { ClientError, RefusedByServer } from './errors.ts'
import { MessageStream } from './message-stream.ts'
import { Requests } from './requests.ts'

export interface ClientOptions {
  readonly address: Address
  /** The server's fingerprint, `SHA256:…`. Any other key is refused. */
  readonly pin?: string
  /** Decides about the key when there is no pin; throws to refuse. Without it any key is taken on first contact. */
  readonly checkKey?: (key: string) => void | Promise<void>
  /** Time limit of connecting and of each request, milliseconds. Default 10,000. */
  readonly timeout?: number
  /** Whether to connect again, log in again and resend when the connection is lost. Default true. */
  readonly reconnect?: boolean
  /** Ends connecting and every request when it aborts. */
  readonly signal?: AbortSignal
  readonly catalogue: Catalogue
}

/** Limits of one request, within the client's own. */
export interface RequestOptions {
  /** Milliseconds. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface Identity {
  readonly id: number
  readonly user: string
  readonly nickname: string
  readonly role: string
}

export interface SentMessage {
  readonly id: number
  readonly sentAt: Date
  /** True if the server had stored it before, under the same client id. */
  readonly repeat: boolean
}

export interface Page {
  readonly more: boolean
  readonly messages: ChatMessage[]
}

export interface MessagesOptions {
  readonly from?: string
  readonly acknowledge?: boolean
  readonly signal?: AbortSignal
}

interface LifeEvents {
  /** The connection was lost and is being made again. */
  disconnected: [ClientError]
  /** Connected, and logged in if it was before. */
  reconnected: []
  /** It is over: closed, or given up. */
  closed: [ClientError]
}

const DEFAULT_TIMEOUT_MS = 10_000
/** How long closing waits for the server's word that it is. */
const FAREWELL_MS = 2000
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** Reasons of the server after which coming back at once would only be closed again. */
const FINAL_REASONS = ['logged_out', 'account_disabled', 'protocol_error', 'too_large', 'login_required']

/** A connection to a server, kept up until closed. Made by `connect`. */
export class Client {
  readonly #options: ClientOptions
  readonly #life = new EventEmitter<LifeEvents>()
  readonly #pushes = new EventEmitter()
  readonly #requests: Requests
  readonly #stream: MessageStream
  readonly #clientIds = `${randomBytes(9).toString('base64url')}-`
  #sent = 0
  #channel: Channel | undefined
  #pin: string | undefined
  #credentials: Credentials | undefined
  #actAs: string | undefined
  /** What was asked for with `receive`, to ask again after a reconnect. */
  #receiving: InputOf<typeof Receive> | undefined
  #farewell: RefusedByServer | undefined
  #closed: ClientError | undefined
  /** Set while the connection is being made again. */
  #ready: Promise<void> | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#pin = options.pin
    this.#requests = new Requests(options.catalogue, (message, values) => this.#pushed(message, values))
    this.#stream = new MessageStream((message) => this.acknowledge(message))
  }

  /** The server's fingerprint. */
  get fingerprint(): string {
    return this.#open().fingerprint
  }

  /** Keys of the last login with a password, to log in later without it. */
  get keys(): LoginKeys | undefined {
    return this.#credentials?.keys
  }

  /** @throws ClientError */
  async connect() {
    const channel = await Channel.open({
      address: this.#options.address,
      signal: this.#limit({}),
      checkKey: async (key) => {
        if (this.#pin === undefined) await this.#options.checkKey?.(key)
        else if (this.#pin !== key)
          throw new ClientError('key_changed', `the server shows the key ${key}, not the pinned ${this.#pin}`)
      },
      onFrame: (frame) => this.#requests.receive(frame),
      onClose: (error) => this.#lost(error),
    })
    this.#channel = channel
    // Whoever answered first is who must answer after a reconnect.
    this.#pin = channel.fingerprint
  }

  /** Sends any message of the catalogue and waits for its reply. @throws ClientError, WireError */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, options: RequestOptions = {}): Promise<ReplyOf<M>> {
    try {
      const channel = this.#open()
      return this.#requests.request(message, values, (bytes) => channel.send(bytes), this.#limit(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Told of each push of that type. Returns the function that ends it. */
  on<M extends ServerMessage>(message: M, listener: (values: ValuesOf<M>) => void): () => void {
    this.#pushes.on(message.name, listener)
    return () => this.#pushes.off(message.name, listener)
  }

  /** Told of the connection's life: `disconnected`, `reconnected`, `closed`. */
  onLife<E extends keyof LifeEvents>(event: E, listener: (...payload: LifeEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
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
    const credentials = new Credentials(user, secret)
    const identity = await this.#login(credentials)
    this.#credentials = credentials
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
    const old = startLogin(user)
    const { serverFirst } = await this.request(Login, { clientFirst: old.clientFirst })
    const source = new Credentials(user, { password: oldPassword }).source
    const { clientFinal } = await old.answer(serverFirst, this.#open().handshakeHash, source)
    const keys = await this.#newKeys(newPassword)
    await this.request(ChangePassword, { clientFinal, ...keys })
    this.#credentials = new Credentials(user, { password: newPassword })
  }

  /**
   * Sends a private message, or one to a group; resolves when it is stored. Over a lost connection it is sent again with the same client
   * id, so it is stored once.
   */
  async send(
    to: string | { readonly group: string },
    text: string,
    { clientId, style = {}, ...limits }: RequestOptions & { clientId?: string; style?: TextStyle } = {},
  ): Promise<SentMessage> {
    const message = { text, clientId: clientId ?? this.#clientIds + (++this.#sent).toString(36), ...style }
    const signal = this.#limit(limits)
    const stored = await this.#overReconnects(
      () =>
        typeof to === 'string'
          ? this.request(SendMessage, { to, ...message }, { signal })
          : this.request(ChatroomMessage, { ...to, ...message }, { signal }),
      signal,
    )
    return { ...stored, sentAt: new Date(stored.sentAt) }
  }

  /**
   * Received messages: what is unread, oldest first, then what comes. Each is acknowledged when the loop asks for the
   * next one, unless `acknowledge` is false; each comes once, also over reconnects.
   * @param options.from only what this user sent
   */
  async *messages({ from, ...options }: MessagesOptions = {}): AsyncGenerator<ChatMessage> {
    await this.receive(from === undefined ? {} : { from })
    yield* this.#stream.read({ acknowledge: true, ...options })
  }

  /** Asks for pushes on this session; returns how many messages are unread. `messages` does it by itself. */
  async receive(filter: InputOf<typeof Receive> = {}): Promise<number> {
    const { unread } = await this.request(Receive, filter)
    this.#receiving = filter
    return unread
  }

  /** Learns the message types of this server's plugins; returns all that are known now. */
  async learn(): Promise<Catalogue> {
    const { json } = await this.request(QueryProtocol, {})
    const { catalogue } = this.#options
    for (const message of fromEntries(JSON.parse(json)))
      if (catalogue.byType(message.type) === undefined) catalogue.add(message, 'the server')
    return catalogue
  }

  /** The messages of that sender, or of that group, up to this one are read. Over a lost connection it is said again. */
  async acknowledge({ from, group, id: upTo }: Pick<ChatMessage, 'from' | 'group' | 'id'>) {
    await this.#overReconnects(() =>
      group === undefined ? this.request(Acknowledge, { from, upTo }) : this.request(AcknowledgeRoom, { group, upTo }),
    )
  }

  /** A page of messages to this user, oldest first: unread ones, or all. */
  async inbox(query: { after?: number; limit?: number; all?: boolean } = {}): Promise<Page> {
    const { more, messages } = await this.request(QueryInbox, query)
    return { more, messages: messages.map(toChatMessage) }
  }

  /** The newest messages with another user, oldest first; `before` an id: older ones. */
  async history(other: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    const { more, messages } = await this.request(QueryHistory, { with: other, ...query })
    return { more, messages: messages.map(toChatMessage) }
  }

  /** The newest messages of a group, oldest first; `before` an id: older ones. */
  async groupHistory(group: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    const { more, messages } = await this.request(QueryRoomHistory, { group, ...query })
    return { more, messages: messages.map(toChatMessage) }
  }

  /** Logs out and closes. Requests without a reply are rejected. */
  async close() {
    if (this.#closed !== undefined) return
    const channel = this.#channel
    // From here on a lost connection is no reason to make it again.
    this.#closed = new ClientError('closed', 'the client was closed')
    if (channel !== undefined) {
      const signal = AbortSignal.timeout(FAREWELL_MS)
      await this.#requests.request(Logout, {}, (bytes) => channel.send(bytes), signal).catch(() => {})
      channel.end()
    }
    this.#end(this.#closed)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Makes a request that may safely be made twice again, each time its connection is lost. */
  async #overReconnects<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'lost' && this.#reconnects)) throw error
        await unlessAborted(this.#ready, signal)
      }
    }
  }

  get #reconnects(): boolean {
    return this.#closed === undefined && this.#options.reconnect !== false
  }

  #open(): Channel {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#channel === undefined) throw new ClientError('lost', 'the connection is lost')
    return this.#channel
  }

  #limit({ timeout = this.#options.timeout ?? DEFAULT_TIMEOUT_MS, signal }: RequestOptions): AbortSignal {
    const signals = [signal, this.#options.signal].filter((given) => given !== undefined)
    const limit = AbortSignal.timeout(timeout)
    return signals.length === 0 ? limit : AbortSignal.any([limit, ...signals])
  }

  async #newKeys(password: string): Promise<{ storedKey: Buffer; serverKey: Buffer }> {
    const { salt, iterations } = await this.request(NewSalt, { clientSalt: randomBytes(16) })
    const keys = await deriveKeys(password, Buffer.from(salt), iterations)
    return { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey }
  }

  async #login(credentials: Credentials): Promise<Identity> {
    try {
      const exchange = startLogin(credentials.user)
      const { serverFirst } = await this.request(Login, { clientFirst: exchange.clientFirst })
      const answer = await exchange.answer(serverFirst, this.#open().handshakeHash, credentials.source)
      const { serverFinal, ...identity } = await this.request(LoginProof, { clientFinal: answer.clientFinal })
      answer.verifyServerFinal(serverFinal)
      return identity
    } catch (error) {
      if (!(error instanceof ScramError)) throw error
      const who = error.code === 'password' ? error.message : `the server failed the login: ${error.message}`
      throw new ClientError('authentication', who, { cause: error })
    }
  }

  #pushed(message: ServerMessage, values: unknown) {
    if (message === KeepAlive) this.request(Ping, {}).catch(() => {})
    else if (message === Closing) this.#farewell = new RefusedByServer(values as ValuesOf<typeof Closing>)
    else if (message === OnNewMessage)
      this.#stream.push((values as ValuesOf<typeof OnNewMessage>).messages.map(toChatMessage))
    this.#pushes.emit(message.name, values)
  }

  #lost(error: ClientError) {
    this.#channel = undefined
    const farewell = this.#farewell
    this.#farewell = undefined
    if (this.#closed !== undefined) return this.#requests.fail(this.#closed)
    const final = farewell !== undefined && FINAL_REASONS.includes(farewell.failure)
    if (!this.#reconnects || final) {
      const reason = farewell ?? error
      this.#closed = reason
      this.#end(reason)
      return
    }
    // A connection lost again on the way back is one more try of the same.
    const first = this.#ready === undefined
    this.#ready ??= this.#comeBack().finally(() => {
      this.#ready = undefined
    })
    this.#requests.fail(new ClientError('lost', farewell?.message ?? error.message, { cause: error }))
    if (first) this.#life.emit('disconnected', farewell ?? error)
  }

  async #comeBack() {
    for (let wait = FIRST_RETRY_MS; this.#reconnects; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      // Spread out, or all clients of a restarted server would come back in the same moment.
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)))
      if (!this.#reconnects) return
      try {
        await this.connect()
        if (this.#credentials !== undefined) await this.#login(this.#credentials)
        if (this.#actAs !== undefined) await this.request(ActAs, { user: this.#actAs })
        if (this.#receiving !== undefined) await this.request(Receive, this.#receiving)
        this.#life.emit('reconnected')
        return
      } catch (error) {
        if (!isFatal(error)) continue
        this.#closed = error
        this.#channel?.destroy()
        this.#end(error)
        return
      }
    }
  }

  #end(error: ClientError) {
    this.#requests.fail(error)
    this.#stream.end(error)
    this.#life.emit('closed', error)
  }
}

/** Trying again would not change it: another key, or an account that may not log in any more. */
function isFatal(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false
  if (error instanceof RefusedByServer)
    return ['login_failed', 'account_disabled', 'user_not_exist'].includes(error.failure)
  return error.code === 'key_changed' || error.code === 'authentication'
}

async function unlessAborted(work: Promise<void> | undefined, signal: AbortSignal | undefined) {
  if (signal === undefined) return work
  if (signal.aborted) return
  await Promise.race([work, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
}
