import { type InputOf, newClientId, type ServerMessage, type ValuesOf } from '../core/wire/index.ts'
import { AcknowledgeEvent, Consume, QueryState } from '../plugins/consumers/messages.ts'
import { MessageEdited } from '../plugins/edits/messages.ts'
import { AcknowledgeRoom, ChatroomMessage, QueryRoomHistory } from '../plugins/groups/messages.ts'
import {
  Acknowledge,
  MessageRecalled,
  OnNewMessage,
  QueryHistory,
  QueryInbox,
  Receive,
  SearchMessages,
  SendMessage,
} from '../plugins/messages/messages.ts'
import { type ChatMessage, kindNumber, type MessageRef, toChatMessage } from './chat-message.ts'
import { type ClientError, RefusedByServer } from './errors.ts'
import type { LinkOptions, RequestOptions } from './link.ts'
import { MessageStream } from './message-stream.ts'
import type { Subscribe } from './session.ts'
import { Streaming } from './streaming.ts'
import type {
  ConsumeOptions,
  HistoryQuery,
  KeptState,
  MessagesOptions,
  Page,
  SearchOptions,
  SearchPage,
  SendOptions,
  SentMessage,
} from './types.ts'

/** Refusals that a renamed group may cause. */
const NO_SUCH_GROUP = ['group_not_exist', 'not_member']

/** A user's client, created by `connect`; it reconnects until it is closed. */
export class Client extends Streaming {
  readonly #stream = new MessageStream()
  /** Incremented when the server has been restored, which makes ids received before stale. */
  #generation = 0
  readonly #generations = new WeakMap<object, number>()

  constructor(options: LinkOptions) {
    super(options)
    this.onLife('closed', (error) => this.#stream.end(error))
  }

  /**
   * Sends a private message or a group message; resolves when it is stored. Retried after a reconnect with the same client
   * id, so it is stored once.
   * @throws RefusedByServer; ClientError `timed_out` when the outcome is unknown: retry with the same `clientId`
   */
  async send(
    to: string | { readonly group: string },
    text: string,
    { clientId = newClientId(), style = {}, hops = 0, replyTo = 0, file = 0, ...limits }: SendOptions = {},
  ): Promise<SentMessage> {
    if (typeof to !== 'string' && typeof to?.group !== 'string')
      throw new TypeError('send(to, text): `to` is the name of a user, or { group: NAME }')
    if (typeof text !== 'string') throw new TypeError('send(to, text): the text is a string')
    const message = { text, clientId, hops, replyTo, file, ...style }
    const signal = this.link.limit(limits)
    const send = () =>
      typeof to === 'string'
        ? this.link.connection.request(SendMessage, { to, ...message }, { signal })
        : this.link.connection.request(ChatroomMessage, { ...to, ...message }, { signal })
    const stored = await this.link.retryOverReconnects(send, signal)
    return { ...stored, sentAt: new Date(stored.sentAt) }
  }

  /** Replies to the sender or group of a message, even if the group was renamed since. @throws as `send` does */
  async reply(message: MessageRef, text: string, options: SendOptions = {}): Promise<SentMessage> {
    const { from, group } = message
    const sameId = { clientId: newClientId(), ...options }
    try {
      return await this.send(group === undefined ? from : { group }, text, sameId)
    } catch (error) {
      const renamed = await this.#renamed(message, error, this.link.limit(options))
      if (renamed === undefined) throw error
      return this.send({ group: renamed }, text, sameId)
    }
  }

  /**
   * Received messages: unread ones, oldest first, then new ones. Each is acknowledged when the loop requests the next,
   * unless `acknowledge` is false; unacknowledged messages are delivered again in the next loop. One loop at a time. It
   * continues after reconnects; a message that cannot be acknowledged emits the life event `unacknowledged`.
   * @throws ClientError that ended the client, unless it was closed by `close`
   */
  async *messages({
    from,
    kind,
    after,
    own = false,
    acknowledge = true,
    signal,
  }: MessagesOptions = {}): AsyncGenerator<ChatMessage> {
    const ask = this.#receiving({ from, kind: kind === undefined ? undefined : kindNumber(kind), after, own })
    try {
      yield* this.#stream.read({
        subscribe: () => this.subscribe(ask, signal),
        onHandled: acknowledge
          ? async (message) => {
              if (!this.isOwn(message)) await this.#acknowledgeHandled(message, signal)
            }
          : undefined,
        signal,
      })
    } finally {
      this.unsubscribe(ask)
    }
  }

  /** Subscribes this session to pushes, as `messages` does by itself. @returns the number of unread messages */
  async receive(filter: InputOf<typeof Receive> = {}, { signal }: RequestOptions = {}): Promise<number> {
    return (await this.subscribe(this.#receiving(filter), signal)).unread
  }

  /**
   * Messages as events of a durable consumer, whose cursor the server keeps: those not acknowledged by `acknowledgeEvent`,
   * oldest first, then new ones. Reading acknowledges nothing. In place of `messages`; one loop at a time.
   */
  async *events(
    consumer: string,
    { all = false, maxAge = 0, signal, onConsuming }: ConsumeOptions = {},
  ): AsyncGenerator<ChatMessage> {
    let exists = false
    const ask: Subscribe<ValuesOf<typeof Consume.reply>> = (connection, limit) =>
      connection.request(
        Consume,
        { consumer, maxAge, all: all && !exists },
        {
          signal: limit,
          onReply: () => {
            exists = true
            this.#stream.subscribed()
          },
        },
      )
    const subscribe = async () => {
      const consuming = await this.subscribe(ask, signal)
      onConsuming?.(consuming)
    }
    const onRepeat = (event: ChatMessage) => void this.#acknowledgeAgain(consumer, event, signal)
    try {
      yield* this.#stream.read({ subscribe, onRepeat, signal })
    } finally {
      this.unsubscribe(ask)
    }
  }

  /**
   * Acknowledges an event, which is then not delivered again. Retried until the server replies or `signal` aborts.
   * @param id of the message; 0 saves only the state
   */
  async acknowledgeEvent(consumer: string, id: number, kept?: KeptState, { signal }: RequestOptions = {}) {
    const values = { consumer, id, ...(kept && { ...kept, keep: true }) }
    await this.link.retryUntilAnswered(
      (limit) => this.link.connection.request(AcknowledgeEvent, values, { signal: limit }),
      signal,
    )
    this.#stream.acknowledged(id)
  }

  /** Acknowledges an event that came again although it was acknowledged: that was lost with a server that was killed. */
  async #acknowledgeAgain(consumer: string, event: ChatMessage, signal: AbortSignal | undefined) {
    try {
      await this.acknowledgeEvent(consumer, event.id, undefined, { ...(signal && { signal }) })
    } catch (error) {
      // Otherwise the client or the loop has ended: a later one is given the event again.
      if (error instanceof RefusedByServer) this.life.emit('unacknowledged', event, error)
    }
  }

  /** State of a consumer under a key; empty if there is none. Retried until the server replies. */
  async consumerState(consumer: string, key: string, { signal }: RequestOptions = {}): Promise<string> {
    const ask = (limit: AbortSignal) => this.link.connection.request(QueryState, { consumer, key }, { signal: limit })
    return (await this.link.retryUntilAnswered(ask, signal)).state
  }

  /**
   * Marks the messages of the sender or group up to this one as read. Retried until the server replies.
   * @throws RefusedByServer `not_member`, `group_not_exist` and others; ClientError of the signal
   */
  async acknowledge(message: MessageRef, { signal }: RequestOptions = {}) {
    const { from, group, id: upTo } = message
    const acknowledge = (name: string | undefined) =>
      this.link.retryUntilAnswered(async (limit) => {
        // A stale id may be that of another message now, which nobody has read.
        if (this.#isStale(message)) return
        const { connection } = this.link
        if (name === undefined) await connection.request(Acknowledge, { from, upTo }, { signal: limit })
        else await connection.request(AcknowledgeRoom, { group: name, upTo }, { signal: limit })
      }, signal)
    try {
      await acknowledge(group)
    } catch (error) {
      const renamed = await this.#renamed(message, error, signal)
      if (renamed === undefined) throw error
      await acknowledge(renamed)
    }
  }

  /** A page of messages to this user, oldest first: unread ones, or all with `all`. */
  async inbox(query: { after?: number; limit?: number; all?: boolean } = {}, options?: RequestOptions): Promise<Page> {
    return this.#toPage(await this.request(QueryInbox, query, options))
  }

  /** A page of private messages with another user, oldest first; the newest without a place. */
  async history(other: string, query: HistoryQuery = {}): Promise<Page> {
    return this.#toPage(await this.request(QueryHistory, { with: other, ...query }))
  }

  /** The same of a group. */
  async groupHistory(group: string, query: HistoryQuery = {}): Promise<Page> {
    return this.#toPage(await this.request(QueryRoomHistory, { group, ...query }))
  }

  /**
   * Messages that this user may read and that contain a text, ignoring case, oldest first. `more` is true if older ones
   * were not searched yet, even when nothing was found: continue with `before: searchedTo`.
   * @param text 1 to 200 bytes of UTF-8
   * @throws RefusedByServer `user_not_exist`, `group_not_exist`, `not_member`, `invalid_value`
   */
  async search(text: string, options: SearchOptions = {}): Promise<SearchPage> {
    const result = await this.request(SearchMessages, { text, ...options })
    return { ...this.#toPage(result), searchedTo: result.searchedTo }
  }

  protected override restored() {
    this.#generation++
    this.#stream.reset()
    super.restored()
  }

  protected override pushed(message: ServerMessage, values: unknown) {
    super.pushed(message, values)
    if (message === OnNewMessage) this.#take((values as ValuesOf<typeof OnNewMessage>).messages)
    else if (message === MessageRecalled) this.#stream.remove((values as ValuesOf<typeof MessageRecalled>).id)
    else if (message === MessageEdited) this.#edited(values as ValuesOf<typeof MessageEdited>)
  }

  #take(messages: ValuesOf<typeof OnNewMessage>['messages']) {
    try {
      this.#stream.push(messages.map((message) => this.#toMessage(message)))
    } catch (error) {
      this.link.fail(error as ClientError)
    }
  }

  /** Gives a message that waits to be read its new text. */
  #edited({ id, text, editedAt }: ValuesOf<typeof MessageEdited>) {
    this.#stream.replace(id, (message) => this.#current({ ...message, text, editedAt: new Date(editedAt) }))
  }

  #receiving(filter: InputOf<typeof Receive>): Subscribe<ValuesOf<typeof Receive.reply>> {
    const generation = this.#generation
    return (connection, signal) => {
      // `after` is stale once the server has been restored: new messages may have lower ids.
      const current = generation === this.#generation ? filter : { ...filter, after: 0 }
      return connection.request(Receive, current, { signal, onReply: () => this.#stream.subscribed() })
    }
  }

  /** True for a message of this user to others, which nobody has to acknowledge; false for a note to oneself. */
  isOwn({ from, to, group }: Pick<ChatMessage, 'from' | 'to' | 'group'>): boolean {
    return this.isSelf(from) && (group !== undefined || to !== from)
  }

  /** Acknowledges a message that the loop has handled. */
  async #acknowledgeHandled(message: ChatMessage, signal: AbortSignal | undefined) {
    try {
      // A stopped loop acknowledges its last message without retries.
      const { from, group, id: upTo } = message
      if (!signal?.aborted) await this.acknowledge(message, { ...(signal && { signal }) })
      else if (this.#isStale(message)) return
      else if (group === undefined) await this.request(Acknowledge, { from, upTo })
      else await this.request(AcknowledgeRoom, { group, upTo })
    } catch (error) {
      if (!(error instanceof RefusedByServer)) throw error
      this.life.emit('unacknowledged', message, error)
    }
  }

  #isStale(message: object): boolean {
    return (this.#generations.get(message) ?? this.#generation) !== this.#generation
  }

  /** The new name of a message's group, if renaming may explain the refusal; undefined if it was not renamed. */
  async #renamed(
    { id, group }: MessageRef,
    error: unknown,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    if (group === undefined || !(error instanceof RefusedByServer) || !NO_SUCH_GROUP.includes(error.failure)) return
    const ask = (limit: AbortSignal) => this.inbox({ after: id - 1, limit: 1, all: true }, { signal: limit })
    const [found] = (await this.link.retryUntilAnswered(ask, signal)).messages
    return found?.id === id && found.group !== group ? found.group : undefined
  }

  #toMessage(message: Parameters<typeof toChatMessage>[0]): ChatMessage {
    return this.#current(toChatMessage(message))
  }

  /** Records that a message is of the current generation. */
  #current(message: ChatMessage): ChatMessage {
    this.#generations.set(message, this.#generation)
    return message
  }

  #toPage({ more, messages }: { more: boolean; messages: Parameters<typeof toChatMessage>[0][] }): Page {
    return { more, messages: messages.map((message) => this.#toMessage(message)) }
  }
}
