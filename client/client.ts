import { type InputOf, newClientId, type ServerMessage, type ValuesOf } from '../core/wire/index.ts'
import { AcknowledgeEvent, Consume, QueryState } from '../plugins/consumers/messages.ts'
import { AcknowledgeRoom, ChatroomMessage, QueryRoomHistory } from '../plugins/groups/messages.ts'
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
import { type ChatMessage, kindNumber, toChatMessage } from './chat-message.ts'
import { type ClientError, RefusedByServer } from './errors.ts'
import type { LinkOptions, RequestOptions } from './link.ts'
import { MessageStream } from './message-stream.ts'
import { Session, type Subscribe } from './session.ts'
import type {
  ConsumeOptions,
  KeptState,
  MessagesOptions,
  Page,
  SearchOptions,
  SearchPage,
  SendOptions,
  SentMessage,
} from './types.ts'

/** A message as far as acknowledging and answering it goes. */
export type MessageRef = Pick<ChatMessage, 'from' | 'group' | 'id'>

/** Refusals that a group of another name would explain. */
const NO_SUCH_GROUP = ['group_not_exist', 'not_member']

/** A user's side of a server: made by `connect`, kept up until closed. */
export class Client extends Session {
  readonly #stream = new MessageStream()
  /** Counted up whenever the server's numbers begin anew. */
  #generation = 0
  readonly #generations = new WeakMap<object, number>()

  constructor(options: LinkOptions) {
    super(options)
    this.onLife('closed', (error) => this.#stream.end(error))
  }

  /**
   * Sends a private message, or one to a group; resolves when it is stored. Over a lost connection it is sent again with
   * the same client id, so it is stored once.
   * @throws ClientError `timed_out` after which it may be stored or not: sent again with its `clientId`, it is there once
   */
  async send(
    to: string | { readonly group: string },
    text: string,
    { clientId = newClientId(), style = {}, hops = 0, ...limits }: SendOptions = {},
  ): Promise<SentMessage> {
    if (typeof to !== 'string' && typeof to?.group !== 'string')
      throw new TypeError('send(to, text): `to` is the name of a user, or { group: NAME }')
    if (typeof text !== 'string') throw new TypeError('send(to, text): the text is a string')
    const message = { text, clientId, hops, ...style }
    const signal = this.link.limit(limits)
    const send = () =>
      typeof to === 'string'
        ? this.link.line.request(SendMessage, { to, ...message }, { signal })
        : this.link.line.request(ChatroomMessage, { ...to, ...message }, { signal })
    const stored = await this.link.overReconnects(send, signal)
    return { ...stored, sentAt: new Date(stored.sentAt) }
  }

  /** Sends to where a message came from, also when its group has got another name since. @throws as `send` does */
  async reply(message: MessageRef, text: string, options: SendOptions = {}): Promise<SentMessage> {
    const { from, group } = message
    const same = { clientId: newClientId(), ...options }
    try {
      return await this.send(group === undefined ? from : { group }, text, same)
    } catch (error) {
      const renamed = await this.#renamed(message, error)
      if (renamed === undefined) throw error
      return this.send({ group: renamed }, text, same)
    }
  }

  /**
   * Received messages: what is unread, oldest first, then what comes. Each is acknowledged when the loop asks for the
   * next one, unless `acknowledge` is false; one that was not comes again in the next loop. One loop at a time. It goes
   * on over lost connections, and a message that cannot be acknowledged is told to `onLife('unacknowledged')`.
   * @throws ClientError what ended the client, unless it was closed on purpose
   */
  async *messages({
    from,
    kind,
    after,
    acknowledge = true,
    signal,
  }: MessagesOptions = {}): AsyncGenerator<ChatMessage> {
    const ask = this.#receiving({ from, kind: kind === undefined ? undefined : kindNumber(kind), after })
    try {
      yield* this.#stream.read({
        ask: () => this.subscribe(ask, signal),
        finished: acknowledge ? (message) => this.#finished(message, signal) : undefined,
        signal,
      })
    } finally {
      this.unsubscribe(ask)
    }
  }

  /** Asks for pushes on this session; returns how many messages are unread. `messages` does it by itself. */
  async receive(filter: InputOf<typeof Receive> = {}, { signal }: RequestOptions = {}): Promise<number> {
    return (await this.subscribe(this.#receiving(filter), signal)).unread
  }

  /**
   * Messages as the events of a durable consumer, which the server keeps: those that no `acknowledgeEvent` has named,
   * oldest first, then what comes. Reading them acknowledges nothing. In place of `messages`, one loop at a time.
   */
  async *events(
    consumer: string,
    { all = false, maxAge = 0, signal, onConsuming }: ConsumeOptions = {},
  ): AsyncGenerator<ChatMessage> {
    let isThere = false
    const ask: Subscribe<ValuesOf<typeof Consume.reply>> = (line, limit) =>
      line.request(
        Consume,
        { consumer, maxAge, all: all && !isThere },
        {
          signal: limit,
          onReply: () => {
            isThere = true
            this.#stream.begin()
          },
        },
      )
    const begin = async () => {
      const consuming = await this.subscribe(ask, signal)
      onConsuming?.(consuming)
    }
    try {
      yield* this.#stream.read({ ask: begin, signal })
    } finally {
      this.unsubscribe(ask)
    }
  }

  /**
   * The event was handled and does not come again; it is said until the server has taken it.
   * @param id of the message; 0 only keeps the state
   */
  async acknowledgeEvent(consumer: string, id: number, kept?: KeptState, { signal }: RequestOptions = {}) {
    const values = { consumer, id, ...(kept && { ...kept, keep: true }) }
    await this.link.persist((limit) => this.link.line.request(AcknowledgeEvent, values, { signal: limit }), signal)
  }

  /** What a consumer has kept under a key; empty if there is nothing. */
  async consumerState(consumer: string, key: string, { signal }: RequestOptions = {}): Promise<string> {
    const ask = (limit: AbortSignal) => this.link.line.request(QueryState, { consumer, key }, { signal: limit })
    return (await this.link.persist(ask, signal)).state
  }

  /**
   * The messages of that sender, or of that group, up to this one are read; it is said until the server has taken it.
   * @throws RefusedByServer `not_member`, `group_not_exist` and others; ClientError of the signal
   */
  async acknowledge(message: MessageRef, { signal }: RequestOptions = {}) {
    const { from, group, id: upTo } = message
    const acknowledge = (name: string | undefined) =>
      this.link.persist(async (limit) => {
        // Its number may be that of a message that nobody has seen.
        if (this.#isOutdated(message)) return
        const { line } = this.link
        if (name === undefined) await line.request(Acknowledge, { from, upTo }, { signal: limit })
        else await line.request(AcknowledgeRoom, { group: name, upTo }, { signal: limit })
      }, signal)
    try {
      await acknowledge(group)
    } catch (error) {
      const renamed = await this.#renamed(message, error)
      if (renamed === undefined) throw error
      await acknowledge(renamed)
    }
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
  async inbox(query: { after?: number; limit?: number; all?: boolean } = {}, options?: RequestOptions): Promise<Page> {
    return this.#toPage(await this.request(QueryInbox, query, options))
  }

  /** The newest messages with another user, oldest first; `before` an id: older ones. */
  async history(other: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    return this.#toPage(await this.request(QueryHistory, { with: other, ...query }))
  }

  /** The newest messages of a group, oldest first; `before` an id: older ones. */
  async groupHistory(group: string, query: { before?: number; limit?: number } = {}): Promise<Page> {
    return this.#toPage(await this.request(QueryRoomHistory, { group, ...query }))
  }

  /**
   * Messages that this user may read and that hold a text, in whatever case, oldest first. `more` tells of older ones
   * not looked at, also when nothing was found: go on before `searchedTo`.
   * @param text 1 to 200 bytes of UTF-8
   * @throws RefusedByServer `user_not_exist`, `group_not_exist`, `not_member`, `invalid_value`
   */
  async search(text: string, options: SearchOptions = {}): Promise<SearchPage> {
    const result = await this.request(SearchMessages, { text, ...options })
    return { ...this.#toPage(result), searchedTo: result.searchedTo }
  }

  protected override restored() {
    this.#generation++
    this.#stream.forget()
    super.restored()
  }

  protected override pushed(message: ServerMessage, values: unknown) {
    super.pushed(message, values)
    if (message === OnNewMessage) this.#take((values as ValuesOf<typeof OnNewMessage>).messages)
    else if (message === MessageRecalled) this.#stream.drop((values as ValuesOf<typeof MessageRecalled>).id)
  }

  #take(messages: ValuesOf<typeof OnNewMessage>['messages']) {
    try {
      this.#stream.push(messages.map((message) => this.#toMessage(message)))
    } catch (error) {
      this.link.fail(error as ClientError)
    }
  }

  #receiving(filter: InputOf<typeof Receive>): Subscribe<ValuesOf<typeof Receive.reply>> {
    const generation = this.#generation
    return (line, signal) => {
      // Numbers have begun anew: what is above that one was never counted.
      const asked = generation === this.#generation ? filter : { ...filter, after: 0 }
      return line.request(Receive, asked, { signal, onReply: () => this.#stream.begin() })
    }
  }

  /** The loop is done with a message. */
  async #finished(message: ChatMessage, signal: AbortSignal | undefined) {
    try {
      // A loop that was stopped says so once.
      const { from, group, id: upTo } = message
      if (!signal?.aborted) await this.acknowledge(message, { ...(signal && { signal }) })
      else if (this.#isOutdated(message)) return
      else if (group === undefined) await this.request(Acknowledge, { from, upTo })
      else await this.request(AcknowledgeRoom, { group, upTo })
    } catch (error) {
      if (!(error instanceof RefusedByServer)) throw error
      this.life.emit('unacknowledged', message, error)
    }
  }

  #isOutdated(message: object): boolean {
    return (this.#generations.get(message) ?? this.#generation) !== this.#generation
  }

  /** The name that the group of a message has now, if a refusal may come from that; undefined if it has no other. */
  async #renamed({ id, group }: MessageRef, error: unknown): Promise<string | undefined> {
    if (group === undefined || !(error instanceof RefusedByServer) || !NO_SUCH_GROUP.includes(error.failure)) return
    const [found] = (await this.inbox({ after: id - 1, limit: 1, all: true })).messages
    return found?.id === id && found.group !== group ? found.group : undefined
  }

  #toMessage(message: Parameters<typeof toChatMessage>[0]): ChatMessage {
    const made = toChatMessage(message)
    this.#generations.set(made, this.#generation)
    return made
  }

  #toPage({ more, messages }: { more: boolean; messages: Parameters<typeof toChatMessage>[0][] }): Page {
    return { more, messages: messages.map((message) => this.#toMessage(message)) }
  }
}
