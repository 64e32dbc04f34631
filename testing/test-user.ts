import { type ChatMessage, toChatMessage } from '../client/chat-message.ts'
import {
  AddFriend,
  type Client,
  CreateRoom,
  type InputOf,
  JoinRoom,
  MessageRecalled,
  OnNewMessage,
  RefusedByServer,
  type SendOptions,
  type SentMessage,
  type ValuesOf,
} from '../client/index.ts'
import type { ClientMessage, ReplyOf, ServerMessage } from '../core/index.ts'
import { Arrivals } from './arrivals.ts'
import type { Patience } from './patience.ts'

/** What to hear: this very text, a text that fits, or a message that does. */
export type Wanted = string | RegExp | ((message: ChatMessage) => boolean)

export interface Hearing {
  /** Only from this user. */
  readonly from?: string
  /** Only in this group. */
  readonly group?: string
  /** Milliseconds of real time. Default 1000. */
  readonly within?: number
}

export interface UserParts {
  readonly name: string
  readonly client: Client
  readonly patience: Patience
  /** Message types of the server that may be pushed. */
  readonly pushed: Iterable<ServerMessage>
  /** So many unacknowledged messages the server pushes, and no more. */
  readonly window: number
  readonly settled: () => Promise<void>
  /** What else a reader of a failure should know; empty if nothing. */
  readonly circumstances: () => string
}

const WITHIN_MS = 1000
/** Messages in the account of a failure: more would hide what it is about. */
const LISTED = 20

/** Someone who is logged in, says things, and is heard to have heard things. */
export class TestUser {
  readonly name: string
  /** The real client, for everything that has no method here. */
  readonly client: Client
  readonly #messages: Arrivals<ChatMessage>
  readonly #pushes = new Map<string, Arrivals<object>>()
  readonly #heard: ChatMessage[] = []
  /** After a lost connection the server pushes again what was not acknowledged. */
  readonly #seen = new Set<number>()
  readonly #parts: UserParts
  #end: Error | undefined

  constructor(parts: UserParts) {
    this.#parts = parts
    this.#messages = new Arrivals(parts.patience)
    this.name = parts.name
    this.client = parts.client
    for (const message of parts.pushed) this.#record(message)
    this.client.on(OnNewMessage, ({ messages }) => {
      for (const message of messages.map(toChatMessage)) {
        if (this.#seen.has(message.id)) continue
        this.#seen.add(message.id)
        this.#messages.push(message)
      }
    })
    this.client.onLife('closed', (error) => {
      this.#end = error
    })
    this.client.on(MessageRecalled, (recalled) => this.#messages.drop(({ id }) => id === recalled.id))
  }

  /** Sends a message; resolves when it is stored. */
  says(to: string | { readonly group: string }, text: string, options?: SendOptions): Promise<SentMessage> {
    return this.client.send(to, text, options)
  }

  /**
   * The oldest message that fits, among those that came since the login and were not yet heard, or the next one to come.
   * It is then acknowledged, and with it what the same sender wrote before.
   * @throws Error that lists what was heard, when none comes in time
   */
  hears(wanted: Wanted, { from, group, within }: Hearing = {}): Promise<ChatMessage> {
    const fits = (message: ChatMessage) =>
      (from === undefined || message.from === from) &&
      (group === undefined || message.group === group) &&
      isWanted(wanted, message)
    const what = [quoted(wanted), from && `from ${from}`, group && `in ${group}`].filter(Boolean).join(' ')
    return this.#hear(fits, what, within)
  }

  /**
   * Says something and gives the text of what is said next in the same conversation, by the other user or, in a group, by
   * anyone else.
   * @throws Error as `hears` does
   */
  async asks(
    to: string | { readonly group: string },
    text: string,
    { within }: { readonly within?: number } = {},
  ): Promise<string> {
    const asked = await this.says(to, text)
    const fits = ({ id, from, group }: ChatMessage) =>
      id > asked.id && (typeof to === 'string' ? from === to && group === undefined : group === to.group)
    return (await this.#hear(fits, `an answer to ${JSON.stringify(text)}`, within)).text
  }

  /**
   * Nothing that was not yet heard has come, and nothing is on its way.
   * @throws Error that lists what came
   */
  async hearsNothing() {
    await this.#parts.settled()
    if (this.#messages.unclaimed.length > 0) throw new Error(`${this.name} heard something.${this.#account()}`)
  }

  /** Sends any message and waits for its reply. @throws RefusedByServer */
  request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    return this.client.request(message, values)
  }

  /**
   * The oldest push of a type that was not yet asked for, or the next one to come.
   * @param options.within milliseconds of real time
   * @throws Error when none comes in time
   */
  async next<M extends ServerMessage>(
    message: M,
    { within = WITHIN_MS }: { readonly within?: number } = {},
  ): Promise<ValuesOf<M>> {
    const pushes = this.#pushes.get(message.name) ?? this.#record(message)
    const values = await pushes.take(() => true, within)
    if (values !== undefined) return values as ValuesOf<M>
    const waiting = [...this.#pushes].flatMap(([name, { unclaimed }]) => unclaimed.map(() => name))
    const other = waiting.length === 0 ? 'nothing else' : waiting.join(', ')
    throw new Error(
      `${this.name} was not told ${message.name} within ${within} ms, but ${other}.${this.#circumstances()}`,
    )
  }

  /** Makes both friends. */
  async befriends(other: TestUser) {
    await this.request(AddFriend, { user: other.name })
    // Asked the other way round it is a yes.
    await other.request(AddFriend, { user: this.name })
  }

  /** Becomes a member of a group, which is made if there is none of that name. */
  async joins(group: string) {
    try {
      await this.request(JoinRoom, { group })
    } catch (error) {
      if (!(error instanceof RefusedByServer && error.failure === 'group_not_exist')) throw error
      await this.request(CreateRoom, { group })
    }
  }

  /** Why a request was refused: the name of the failure. @throws Error when it was not */
  async refused(request: Promise<unknown>): Promise<string> {
    try {
      await request
    } catch (error) {
      if (error instanceof RefusedByServer) return error.failure
      throw error
    }
    throw new Error(`${this.name} was not refused`)
  }

  async #hear(fits: (message: ChatMessage) => boolean, what: string, within = WITHIN_MS): Promise<ChatMessage> {
    const message = await this.#messages.take(fits, within)
    if (message === undefined)
      throw new Error(`${this.name} did not hear ${what} within ${within} ms.${this.#account()}`)
    this.#heard.push(message)
    await this.client.acknowledge(message)
    return message
  }

  #record(message: ServerMessage): Arrivals<object> {
    const pushes = new Arrivals<object>(this.#parts.patience)
    this.#pushes.set(message.name, pushes)
    this.client.on(message, (values) => pushes.push(values))
    return pushes
  }

  #circumstances(): string {
    const end = this.#end && `\n${this.name}’s connection is over: ${this.#end.message}.`
    return `${end ?? ''}${this.#parts.circumstances()}`
  }

  #account(): string {
    const { unclaimed } = this.#messages
    const unheard = list('Not yet heard', unclaimed) || '\nNothing else came.'
    const { window } = this.#parts
    const full = unclaimed.length < window ? '' : `\nMore than ${window} unheard messages are not pushed.`
    return `${unheard}${list('Heard before', this.#heard)}${full}${this.#circumstances()}`
  }
}

function isWanted(wanted: Wanted, message: ChatMessage): boolean {
  if (typeof wanted === 'string') return message.text === wanted
  // Unlike `test`, it does not go on where the last one ended.
  return wanted instanceof RegExp ? message.text.search(wanted) >= 0 : wanted(message)
}

function quoted(wanted: Wanted): string {
  if (typeof wanted === 'string') return JSON.stringify(wanted)
  return wanted instanceof RegExp ? String(wanted) : 'a message that fits'
}

function list(title: string, messages: readonly ChatMessage[]): string {
  if (messages.length === 0) return ''
  const older = messages.length > LISTED ? `\n  … ${messages.length - LISTED} older ones` : ''
  const newest = messages.slice(-LISTED).map((message) => `\n  ${shown(message)}`)
  return `\n${title}:${older}${newest.join('')}`
}

const shown = ({ from, group, text }: ChatMessage) =>
  `${from}${group === undefined ? '' : ` in ${group}`}: ${JSON.stringify(text)}`
