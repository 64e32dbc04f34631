import { type ChatMessage, type Client, EditMessage, type InputOf, React, type SentMessage } from '../client/index.ts'
import { untilAborted } from '../client/until-aborted.ts'
import type { ClientMessage, ReplyOf } from '../core/wire/index.ts'
import type { Answer, Asker, AskOptions } from './asker.ts'
import { chatHistory, type HistoryEntry, type HistoryOptions } from './chat-history.ts'
import type { EffectOptions, Effects, Recipient, SayFileOptions, SayOptions } from './effects.ts'
import { type FileSource, ReceivedFile } from './files.ts'
import type { BotLog } from './log.ts'
import { withoutNoReply } from './no-reply.ts'
import type { TypingNotices } from './typing.ts'

/** Identity of the bot. */
export interface Self {
  /** Name in its definition. */
  readonly name: string
  /** Account that it is logged in as. */
  readonly user: string
}

/** Members of every context. */
class Context {
  protected readonly effects: Effects
  readonly client: Client
  readonly bot: Self
  readonly log: BotLog
  /** Aborted when the run ends before its handler has: the bot stops, the message is recalled, or its time is over. */
  readonly signal: AbortSignal

  constructor({ effects, client, bot, log, signal }: ContextParts) {
    this.effects = effects
    this.client = client
    this.bot = bot
    this.log = log
    this.signal = signal
  }

  /** Sends a message to a user or a group. A second run of the handler does not send it again. */
  send(to: Recipient, text: string, options?: SayOptions): Promise<SentMessage> {
    return this.effects.send(to, text, options)
  }

  /** Sends a file to a user or a group. A second run of the handler does not send it again. */
  sendFile(to: Recipient, source: FileSource, options?: SayFileOptions): Promise<SentMessage> {
    return this.effects.sendFile(to, source, options)
  }

  /** Gives a message of the bot's own a new text. A second run of the handler does not edit it again. */
  async edit({ id }: Pick<SentMessage, 'id'>, text: string, options?: EffectOptions) {
    await this.effects.request(EditMessage, { id, text }, options)
  }

  /** Makes any request. A second run of the handler gets the first reply; the request is not executed again. */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, options?: EffectOptions): Promise<ReplyOf<M>> {
    return this.effects.request(message, values, options)
  }
}

export interface ReplyOptions extends SayOptions {
  /** Whether the reply names the message that it answers (`replyTo`). Default false. */
  readonly quote?: boolean
}

export interface ReplyFileOptions extends SayFileOptions, ReplyOptions {}

export interface ReactOptions extends EffectOptions {
  /** Whether the reaction is removed. Default false. */
  readonly remove?: boolean
}

export interface ContextParts {
  readonly effects: Effects
  readonly client: Client
  readonly bot: Self
  readonly log: BotLog
  readonly signal: AbortSignal
}

/** Context of a message handler. */
export class MessageContext<State> extends Context {
  readonly message: ChatMessage
  /** With `debounce`, the sender's messages just before it too; it is the last one. */
  readonly messages: readonly ChatMessage[]
  /** Key of the conversation: `user NAME` or `group NAME`. */
  readonly chat: string
  /** Match of the `hears` pattern; in other handlers, of the whole text. */
  readonly match: RegExpMatchArray
  /** The file of the message. */
  readonly file: ReceivedFile | undefined
  /** State of this chat; changes are stored when the handler has finished. */
  state: State
  readonly #asker: Asker
  readonly #typing: TypingNotices

  constructor(
    parts: ContextParts & {
      readonly message: ChatMessage
      readonly earlier: readonly ChatMessage[]
      readonly chat: string
      readonly match: RegExpMatchArray
      readonly state: State
      readonly asker: Asker
      readonly typing: TypingNotices
    },
  ) {
    super(parts)
    this.message = parts.message
    this.messages = [...parts.earlier, parts.message]
    this.chat = parts.chat
    this.match = parts.match
    const { file } = parts.message
    this.file = file && new ReceivedFile(file, parts.client, parts.signal)
    this.state = parts.state
    this.#asker = parts.asker
    this.#typing = parts.typing
  }

  get text(): string {
    return this.message.text
  }

  /** Sender of the message. */
  get from(): string {
    return this.message.from
  }

  /** Group of the message; undefined for a private one. */
  get group(): string | undefined {
    return this.message.group
  }

  /** Replies in the conversation of the message, even if its group was renamed since. */
  reply(text: string, { quote = false, ...options }: ReplyOptions = {}): Promise<SentMessage> {
    return this.effects.reply(this.message, text, { ...options, ...(quote && { replyTo: this.message.id }) })
  }

  /** Replies with a file: a path, the bytes, or a stream of them. */
  replyFile(source: FileSource, { quote = false, ...options }: ReplyFileOptions = {}): Promise<SentMessage> {
    return this.effects.replyFile(this.message, source, { ...options, ...(quote && { replyTo: this.message.id }) })
  }

  /** Reacts to the message with one emoji. */
  async react(emoji: string, { remove = false, ...options }: ReactOptions = {}) {
    await this.effects.request(React, { id: this.message.id, emoji, remove }, options)
  }

  /**
   * Asks in this chat, or in `to`, and waits for the answer: the next message there by the sender of this message, by
   * `from`, or by the user in `to`. No other handler gets the answer. Meanwhile other messages of this chat wait.
   * @returns undefined when no answer came in time
   */
  ask<const Choice extends string = string>(
    question: string,
    { to = this.#here, ...options }: AskOptions<Choice> & { readonly to?: Recipient } = {},
  ): Promise<Answer<Choice> | undefined> {
    const from = options.from ?? (this.#isHere(to) ? this.from : undefined)
    return this.#asker.ask(to, question, { ...options, ...(from !== undefined && { from }) })
  }

  /**
   * Sends a message while its text is being made, such as by a language model: sessions that follow streams see it grow, everyone
   * else gets the whole one. Until its first text the bot shows as writing. A source without text, or with NO_REPLY alone, sends
   * nothing. When the source fails or the run is aborted, nothing is stored. A second run of the handler does not send it again.
   * @returns undefined if nothing was sent
   */
  async stream(
    source: AsyncIterable<string> | Iterable<string>,
    { quote = false, ...options }: ReplyOptions = {},
  ): Promise<SentMessage | undefined> {
    await this.#typing.start(this.#here)
    const { signal } = this
    const typing = this.#typing
    const pieces = async function* () {
      let isFirst = true
      for await (const piece of withoutNoReply(untilAborted(source, signal))) {
        if (isFirst) typing.stop()
        isFirst = false
        yield piece
      }
    }
    try {
      const replyTo = quote ? { replyTo: this.message.id } : {}
      return await this.effects.stream(this.message, pieces(), { ...options, ...replyTo })
    } finally {
      typing.stop()
    }
  }

  /** Shows in the conversation that the bot is writing, until the handler ends, or `typing(false)`. Resolves when it is sent. */
  async typing(state = true): Promise<void> {
    if (state) await this.#typing.start(this.#here)
    else this.#typing.stop()
  }

  /** The messages of this chat up to this one, oldest first, as a language model takes them. */
  history(options: HistoryOptions = {}): Promise<HistoryEntry[]> {
    return chatHistory(this.client, this.bot.user, this.message, options)
  }

  get #here(): Recipient {
    return this.group === undefined ? this.from : { group: this.group }
  }

  #isHere(to: Recipient): boolean {
    return typeof to === 'string' ? to === this.#here : to.group === this.group
  }
}

/** Context of a schedule's handler. */
export class ScheduleContext<State = undefined> extends Context {
  /** Due time of the run. */
  readonly time: Date
  /** State of the schedule's chat, or of the schedule if it has none; changes are stored when the handler has finished. */
  state: State
  readonly #asker: Asker
  readonly #chat: Recipient | undefined

  constructor(
    parts: ContextParts & {
      readonly time: Date
      readonly chat: Recipient | undefined
      readonly state: State
      readonly asker: Asker
    },
  ) {
    super(parts)
    this.time = parts.time
    this.state = parts.state
    this.#chat = parts.chat
    this.#asker = parts.asker
  }

  /**
   * Asks in the schedule's chat, or in `to`, and waits for the answer. In a group any member may answer, or only `from`.
   * @returns undefined when no answer came in time
   * @throws TypeError without `to` in a schedule that has no chat
   */
  ask<const Choice extends string = string>(
    question: string,
    options?: AskOptions<Choice> & { readonly to?: Recipient },
  ): Promise<Answer<Choice> | undefined>
  /** @deprecated use `ask(question, { to, … })`, as in a message handler */
  ask<const Choice extends string = string>(
    to: Recipient,
    question: string,
    options?: AskOptions<Choice>,
  ): Promise<Answer<Choice> | undefined>
  ask<const Choice extends string = string>(
    first: Recipient,
    second: string | (AskOptions<Choice> & { readonly to?: Recipient }) = {},
    third: AskOptions<Choice> = {},
  ): Promise<Answer<Choice> | undefined> {
    if (typeof second === 'string') return this.#asker.ask(first, second, third)
    const { to = this.#chat, ...options } = second
    if (to === undefined) throw new TypeError('ask(question, { to }): a schedule without a chat needs `to`')
    return this.#asker.ask(to, first as string, options)
  }
}

/** Context of a push handler. A push is delivered at most once; automatic keys only cover resends after a reconnect. */
export class PushContext extends Context {}
