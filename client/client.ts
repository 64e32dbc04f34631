import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'eventemitter3'
import { ScramError, startLogin, storedKey } from '../core/scram/index.ts'
import {
  type Catalogue,
  type ClientMessage,
  Done,
  decode,
  encode,
  fromEntries,
  type InputOf,
  KeepAlive,
  MessageSplitter,
  newClientId,
  Ping,
  QueryProtocol,
  type ReplyOf,
  type ServerMessage,
  type ValuesOf,
} from '../core/wire/index.ts'
import { ActAs } from '../plugins/admin/messages.ts'
import { AcknowledgeEvent, Consume, type Consuming, QueryState } from '../plugins/consumers/messages.ts'
import { AcknowledgeRoom, ChatroomMessage, QueryRoomHistory } from '../plugins/groups/messages.ts'
import { Once } from '../plugins/idempotency/messages.ts'
import { ChangePassword, Login, LoginProof, Logout } from '../plugins/login/messages.ts'
import {
  Acknowledge,
  MessageRecalled,
  OnNewMessage,
  QueryHistory,
  QueryInbox,
  RecallMessage,
  Receive,
  SearchMessages,
  SendMessage,
} from '../plugins/messages/messages.ts'
import { NewSalt, Register } from '../plugins/registration/messages.ts'
import { type ChatMessage, type Kind, kindNumber, type TextStyle, toChatMessage } from './chat-message.ts'
import { Credentials, checkNewPassword, deriveWith, type LoginKeys } from './credentials.ts'
import { ClientError } from './errors.ts'
import { type KeyedOptions, type LifeEvents, type Line, Link, type LinkOptions, type RequestOptions } from './link.ts'
import { MessageStream } from './message-stream.ts'

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

export interface SearchPage extends Page {
  /** What to give as `before` to go on while there is `more`. */
  readonly searchedTo: number
}

export interface SearchOptions {
  /** Only private messages with this user. */
  readonly with?: string
  /** Only messages of this group. */
  readonly group?: string
  /** Only messages with a lower id. */
  readonly before?: number
  readonly limit?: number
}

export interface SendOptions extends RequestOptions {
  /** The sender's own id of the message, at most 64 bytes: sent again with it, the message is stored once. */
  readonly clientId?: string
  readonly style?: TextStyle
  /** One more than the `hops` of the message that a program answers here; 0, the default, for what a person writes. */
  readonly hops?: number
}

export interface ConsumeOptions {
  /** A new consumer begins with the first message there is; else with what comes next. */
  readonly all?: boolean
  /** Leave out events older than so many milliseconds. */
  readonly maxAge?: number
  readonly signal?: AbortSignal
  /** Told once the server has taken it up: what is sent from then on comes as an event. */
  readonly onConsuming?: (consuming: ValuesOf<typeof Consuming>) => void
}

/** What a consumer keeps with an acknowledgement, in the same transaction. */
export interface KeptState {
  readonly key: string
  /** Empty forgets it. */
  readonly state: string
}

export interface MessagesOptions {
  /** Only private messages of this user. */
  readonly from?: string
  /** Only messages of this kind. */
  readonly kind?: Kind
  /** Only messages with a higher id; older ones stay unread. */
  readonly after?: number
  readonly acknowledge?: boolean
  readonly signal?: AbortSignal
}

/** How long closing waits for the server's word that it is. */
const FAREWELL_MS = 2000

/** A user's side of a server: made by `connect`, kept up until closed. */
export class Client {
  readonly #catalogue: Catalogue
  readonly #link: Link
  readonly #pushes = new EventEmitter()
  readonly #stream: MessageStream
  #credentials: Credentials | undefined
  #actAs: string | undefined
  /** Asks again after a reconnect for what was asked for with `receive` or `events`. */
  #receiveAgain: ((line: Line) => Promise<unknown>) | undefined

  constructor(options: LinkOptions) {
    this.#catalogue = options.catalogue
    this.#stream = new MessageStream((message) => this.acknowledge(message))
    this.#link = new Link(
      options,
      (message, values) => this.#pushed(message, values),
      (line) => this.#restore(line),
    )
    this.#link.on('closed', (error) => this.#stream.end(error))
  }

  /** The server's fingerprint. */
  get fingerprint(): string {
    return this.#link.line.fingerprint
  }

  /** What a login is bound to: the Noise handshake hash of the connection, 32 bytes. */
  get handshakeHash(): Buffer {
    return this.#link.line.handshakeHash
  }

  /** Keys of the last login with a password, to log in later without it. */
  get keys(): LoginKeys | undefined {
    return this.#credentials?.keys
  }

  /** @throws ClientError */
  connect(): Promise<void> {
    return this.#link.connect()
  }

  /** Sends any message of the catalogue and waits for its reply. @throws ClientError, WireError */
  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, ...options }: KeyedOptions = {},
  ): Promise<ReplyOf<M>> {
    if (key === undefined) return this.#link.line.request(message, values, options)
    const signal = this.#link.limit(options)
    const request = encode(message, 0, values)
    const once = () => this.#link.line.request(Once, { key, request }, { signal })
    return replyIn(message, (await this.#link.overReconnects(once, signal)).reply)
  }

  /** Told of each push of that type. Returns the function that ends it. */
  on<M extends ServerMessage>(message: M, listener: (values: ValuesOf<M>) => void): () => void {
    this.#pushes.on(message.name, listener)
    return () => this.#pushes.off(message.name, listener)
  }

  /** Told of the connection's life: `disconnected`, `reconnected`, `closed`. */
  onLife<E extends keyof LifeEvents>(event: E, listener: (...payload: LifeEvents[E]) => void): () => void {
    return this.#link.on(event, listener)
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
    const credentials = new Credentials(user, secret, this.#link.leastIterations)
    const identity = await logIn(this.#link.line, credentials)
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
    const { line } = this.#link
    const old = startLogin(user)
    const { serverFirst, preHash } = await line.request(Login, { clientFirst: old.clientFirst })
    const source = new Credentials(user, { password: oldPassword }, this.#link.leastIterations).source(preHash)
    const { clientFinal } = await old.answer(serverFirst, line.handshakeHash, source)
    const keys = await this.#newKeys(newPassword)
    await line.request(ChangePassword, { clientFinal, ...keys })
    this.#credentials = new Credentials(user, { password: newPassword }, this.#link.leastIterations)
  }

  /**
   * Sends a private message, or one to a group; resolves when it is stored. Over a lost connection it is sent again with
   * the same client id, so it is stored once.
   */
  async send(
    to: string | { readonly group: string },
    text: string,
    { clientId, style = {}, hops = 0, ...limits }: SendOptions = {},
  ): Promise<SentMessage> {
    const message = { text, clientId: clientId ?? newClientId(), hops, ...style }
    const signal = this.#link.limit(limits)
    const send = () =>
      typeof to === 'string'
        ? this.request(SendMessage, { to, ...message }, { signal })
        : this.request(ChatroomMessage, { ...to, ...message }, { signal })
    const stored = await this.#link.overReconnects(send, signal)
    return { ...stored, sentAt: new Date(stored.sentAt) }
  }

  /**
   * Received messages: what is unread, oldest first, then what comes. Each is acknowledged when the loop asks for the
   * next one, unless `acknowledge` is false; one that the loop was left at comes again. One loop at a time.
   */
  async *messages({
    from,
    kind,
    after,
    acknowledge = true,
    signal,
  }: MessagesOptions = {}): AsyncGenerator<ChatMessage> {
    const reading = this.#stream.read({ acknowledge, ...(signal && { signal }) })
    await this.receive({ from, kind: kind === undefined ? undefined : kindNumber(kind), after })
    yield* reading
  }

  /** Asks for pushes on this session; returns how many messages are unread. `messages` does it by itself. */
  async receive(filter: InputOf<typeof Receive> = {}): Promise<number> {
    const { unread } = await this.request(Receive, filter)
    this.#receiveAgain = (line) => line.request(Receive, filter)
    return unread
  }

  /**
   * Messages as the events of a durable consumer, which the server keeps: those that no `acknowledgeEvent` has named,
   * oldest first, then what comes. Reading them acknowledges nothing. In place of `messages`, one loop at a time.
   */
  async *events(
    consumer: string,
    { all = false, maxAge = 0, signal, onConsuming }: ConsumeOptions = {},
  ): AsyncGenerator<ChatMessage> {
    const reading = this.#stream.read({ acknowledge: false, again: true, ...(signal && { signal }) })
    const consuming = await this.request(Consume, { consumer, all, maxAge })
    onConsuming?.(consuming)
    this.#receiveAgain = (line) => line.request(Consume, { consumer, maxAge })
    yield* reading
  }

  /**
   * The event was handled and does not come again; over a lost connection it is said again.
   * @param id of the message; 0 only keeps the state
   */
  async acknowledgeEvent(consumer: string, id: number, kept?: KeptState) {
    const values = { consumer, id, ...(kept && { ...kept, keep: true }) }
    await this.#link.overReconnects(() => this.request(AcknowledgeEvent, values))
  }

  /** What a consumer has kept under a key; empty if there is nothing. */
  async consumerState(consumer: string, key: string): Promise<string> {
    return (await this.#link.overReconnects(() => this.request(QueryState, { consumer, key }))).state
  }

  /** Learns the message types of this server's plugins; returns all that are known now. */
  async learn(): Promise<Catalogue> {
    const { json } = await this.request(QueryProtocol, {})
    for (const message of fromEntries(JSON.parse(json)))
      if (this.#catalogue.byType(message.type) === undefined) this.#catalogue.add(message, 'the server')
    return this.#catalogue
  }

  /** The messages of that sender, or of that group, up to this one are read. Over a lost connection it is said again. */
  async acknowledge({ from, group, id: upTo }: Pick<ChatMessage, 'from' | 'group' | 'id'>) {
    const acknowledge = () =>
      group === undefined ? this.request(Acknowledge, { from, upTo }) : this.request(AcknowledgeRoom, { group, upTo })
    await this.#link.overReconnects(acknowledge)
  }

  /**
   * Deletes a message of one's own, for everybody. Not asked again over a lost connection: whoever can read it is told
   * with `MessageRecalled`, and a second recall is refused with `no_message`.
   * @throws RefusedByServer `no_message`
   */
  async recall(id: number, options?: RequestOptions) {
    await this.request(RecallMessage, { id }, options)
  }

  /** A page of messages to this user, oldest first: unread ones, or all. */
  async inbox(query: { after?: number; limit?: number; all?: boolean } = {}): Promise<Page> {
    return toPage(await this.request(QueryInbox, query))
  }

  /** The newest messages with another user, oldest first; `before` an id: older ones. */
  async history(other: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    return toPage(await this.request(QueryHistory, { with: other, ...query }))
  }

  /** The newest messages of a group, oldest first; `before` an id: older ones. */
  async groupHistory(group: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    return toPage(await this.request(QueryRoomHistory, { group, ...query }))
  }

  /**
   * Messages that this user may read and that hold a text, in whatever case, oldest first. `more` tells of older ones
   * not looked at, also when nothing was found: go on before `searchedTo`.
   * @param text 1 to 200 bytes of UTF-8
   * @throws RefusedByServer `user_not_exist`, `group_not_exist`, `not_member`, `invalid_value`
   */
  async search(text: string, options: SearchOptions = {}): Promise<SearchPage> {
    const result = await this.request(SearchMessages, { text, ...options })
    return { ...toPage(result), searchedTo: result.searchedTo }
  }

  /** Logs out and closes. Requests without a reply are rejected. */
  close(): Promise<void> {
    return this.#link.close((line) => line.request(Logout, {}, { timeout: FAREWELL_MS }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #newKeys(password: string): Promise<{ storedKey: Buffer; serverKey: Buffer; preHash: string }> {
    const made = await this.request(NewSalt, { clientSalt: randomBytes(16) })
    checkNewPassword(password, made.minPassword)
    const keys = await deriveWith(password, made, this.#link.leastIterations)
    return { storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey, preHash: made.preHash }
  }

  async #restore(line: Line) {
    if (this.#credentials !== undefined) await logIn(line, this.#credentials)
    if (this.#actAs !== undefined) await line.request(ActAs, { user: this.#actAs })
    await this.#receiveAgain?.(line)
  }

  #pushed(message: ServerMessage, values: unknown) {
    if (message === KeepAlive) this.request(Ping, {}).catch(() => {})
    else if (message === OnNewMessage)
      this.#stream.push((values as ValuesOf<typeof OnNewMessage>).messages.map(toChatMessage))
    else if (message === MessageRecalled) this.#stream.drop((values as ValuesOf<typeof MessageRecalled>).id)
    this.#pushes.emit(message.name, values)
  }
}

/** The reply that a `once_done` carries. @throws ClientError `protocol` */
function replyIn<M extends ClientMessage>(message: M, bytes: Uint8Array): ReplyOf<M> {
  const expected = message.reply ?? Done
  const [frame] = new MessageSplitter(REPLY_LIMITS).push(Buffer.from(bytes))
  if (frame?.type !== expected.type)
    throw new ClientError('protocol', `${message.name} was answered by message ${frame?.type}`)
  return decode(expected, frame, REPLY_LIMITS.values).values as ReplyOf<M>
}

const REPLY_LIMITS = { message: 65_536, format: 65_536, values: 65_536 }

const toPage = ({ more, messages }: { more: boolean; messages: Parameters<typeof toChatMessage>[0][] }): Page => ({
  more,
  messages: messages.map(toChatMessage),
})

async function logIn(line: Line, credentials: Credentials): Promise<Identity> {
  try {
    const exchange = startLogin(credentials.user)
    const { serverFirst, preHash } = await line.request(Login, { clientFirst: exchange.clientFirst })
    const answer = await exchange.answer(serverFirst, line.handshakeHash, credentials.source(preHash))
    const { serverFinal, ...identity } = await line.request(LoginProof, { clientFinal: answer.clientFinal })
    answer.verifyServerFinal(serverFinal)
    return identity
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    const who = error.code === 'password' ? error.message : `the server failed the login: ${error.message}`
    throw new ClientError('authentication', who, { cause: error })
  }
}
