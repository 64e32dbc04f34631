import type { ChatMessage, Client, InputOf, SentMessage } from '../client/index.ts'
import type { ClientMessage, ReplyOf } from '../core/wire/index.ts'
import type { Answer, Asking, AskOptions } from './asking.ts'
import type { EffectOptions, Effects, Recipient, SayOptions } from './effects.ts'
import type { BotLog } from './log.ts'

/** Who the bot is. */
export interface Self {
  /** The bot's own name, of its definition. */
  readonly name: string
  /** The account it is logged in as. */
  readonly user: string
}

/** What every context can do. */
class Acting {
  protected readonly effects: Effects
  readonly client: Client
  readonly bot: Self
  readonly log: BotLog
  /** Aborted when the bot has to end before the handler has. */
  readonly signal: AbortSignal

  constructor({ effects, client, bot, log, signal }: ActingParts) {
    this.effects = effects
    this.client = client
    this.bot = bot
    this.log = log
    this.signal = signal
  }

  /** Sends a message to a user or a group. In a second run of the handler, the same message is not sent again. */
  send(to: Recipient, text: string, options?: SayOptions): Promise<SentMessage> {
    return this.effects.send(to, text, options)
  }

  /** Makes any request. In a second run of the handler it is not carried out again; the first reply comes again. */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, options?: EffectOptions): Promise<ReplyOf<M>> {
    return this.effects.request(message, values, options)
  }
}

export interface ActingParts {
  readonly effects: Effects
  readonly client: Client
  readonly bot: Self
  readonly log: BotLog
  readonly signal: AbortSignal
}

/** What a handler of a message gets. */
export class MessageContext<State> extends Acting {
  readonly message: ChatMessage
  /** Key of the conversation: `user NAME` or `group NAME`. */
  readonly chat: string
  /** What a pattern of `hears` found in the text; otherwise the text alone. */
  readonly match: RegExpMatchArray
  /** What this chat remembers: changed here, kept when the handler has finished. */
  state: State
  readonly #asking: Asking

  constructor(
    parts: ActingParts & {
      readonly message: ChatMessage
      readonly chat: string
      readonly match: RegExpMatchArray
      readonly state: State
      readonly asking: Asking
    },
  ) {
    super(parts)
    this.message = parts.message
    this.chat = parts.chat
    this.match = parts.match
    this.state = parts.state
    this.#asking = parts.asking
  }

  get text(): string {
    return this.message.text
  }

  /** Who wrote it. */
  get from(): string {
    return this.message.from
  }

  /** The group it was written in; undefined in private. */
  get group(): string | undefined {
    return this.message.group
  }

  /** Answers where the message came from, also when the group has got another name since. */
  reply(text: string, options?: SayOptions): Promise<SentMessage> {
    return this.effects.reply(this.message, text, options)
  }

  /**
   * Asks and waits for the answer: the next message there of the one who wrote this message, of `from`, or of the user
   * in `to`. It is taken out of its chat's order, and no other handler sees it. Other messages of this chat wait.
   * @returns undefined when no answer came in time
   */
  ask<const Choice extends string = string>(
    question: string,
    { to = this.#here, ...options }: AskOptions<Choice> & { readonly to?: Recipient } = {},
  ): Promise<Answer<Choice> | undefined> {
    const from = options.from ?? (this.#isHere(to) ? this.from : undefined)
    return this.#asking.ask(to, question, { ...options, ...(from !== undefined && { from }) })
  }

  get #here(): Recipient {
    return this.group === undefined ? this.from : { group: this.group }
  }

  #isHere(to: Recipient): boolean {
    return typeof to === 'string' ? to === this.#here : to.group === this.group
  }
}

/** What the handler of a schedule gets. */
export class ScheduleContext<State = undefined> extends Acting {
  /** When it was due. */
  readonly time: Date
  /** What the schedule's chat remembers, or else the schedule: changed here, kept when the handler has finished. */
  state: State
  readonly #asking: Asking
  readonly #chat: Recipient | undefined

  constructor(
    parts: ActingParts & {
      readonly time: Date
      readonly chat: Recipient | undefined
      readonly state: State
      readonly asking: Asking
    },
  ) {
    super(parts)
    this.time = parts.time
    this.state = parts.state
    this.#chat = parts.chat
    this.#asking = parts.asking
  }

  /**
   * Asks a user, or a group, of which anyone or `from` may answer; the schedule's own chat unless `to` says otherwise.
   * @returns undefined when no answer came in time
   */
  ask<const Choice extends string = string>(
    question: string,
    options?: AskOptions<Choice> & { readonly to?: Recipient },
  ): Promise<Answer<Choice> | undefined>
  /** @deprecated in favour of `ask(question, { to, … })`, as in the handler of a message */
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
    if (typeof second === 'string') return this.#asking.ask(first, second, third)
    const { to = this.#chat, ...options } = second
    if (to === undefined) throw new TypeError('ask(question, { to }): a schedule without a chat has to say whom to ask')
    return this.#asking.ask(to, first as string, options)
  }
}

/** What the handler of a push gets. Pushes are told once: what it does has no key but an explicit one. */
export class PushContext extends Acting {}
