import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type ChatMessage, toChatMessage } from '../client/chat-message.ts'
import {
  AddFriend,
  type Client,
  CreateRoom,
  type InputOf,
  JoinRoom,
  MessageEdited,
  type MessageFile,
  MessageRecalled,
  OnNewMessage,
  RefusedByServer,
  type SendOptions,
  type SentMessage,
  type StoredFile,
  type ValuesOf,
} from '../client/index.ts'
import type { ClientMessage, ReplyOf, ServerMessage } from '../core/index.ts'
import { ArrivalQueue } from './arrival-queue.ts'
import { DEFAULT_WAIT_MS, type Timeouts } from './timeouts.ts'

/** The message to wait for: an exact text, a pattern of the text, or a predicate on the message. */
export type Wanted = string | RegExp | ((message: ChatMessage) => boolean)

export interface HearOptions {
  /** Only from this user. */
  readonly from?: string
  /** Only in this group. */
  readonly group?: string
  /** Milliseconds of real time. Default 5000. */
  readonly within?: number
}

/** A message with its file. */
export interface HeardFile extends ChatMessage {
  readonly file: MessageFile
  readonly content: Buffer
}

export interface UserParts {
  readonly name: string
  readonly client: Client
  readonly timeouts: Timeouts
  /** Message types that the server may push. */
  readonly pushed: Iterable<ServerMessage>
  /** The server's limit of unacknowledged messages in flight. */
  readonly window: number
  readonly settled: () => Promise<void>
  /** Further context for an error message; empty if there is none. */
  readonly context: () => string
}

/** Messages listed in an error message. */
const MAX_LISTED = 20

/** A logged-in user who sends messages and records the messages that arrive. */
export class TestUser {
  readonly name: string
  /** The client library, for everything without a method here. */
  readonly client: Client
  readonly #messages: ArrivalQueue<ChatMessage>
  readonly #pushes = new Map<string, ArrivalQueue<object>>()
  readonly #heard: ChatMessage[] = []
  /** Ids of pushed messages: after a reconnect the server pushes unacknowledged ones again. */
  readonly #seen = new Set<number>()
  readonly #parts: UserParts
  #end: Error | undefined

  constructor(parts: UserParts) {
    this.#parts = parts
    this.#messages = new ArrivalQueue(parts.timeouts)
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
    this.client.on(MessageEdited, ({ id, text, editedAt }) => {
      const edit = (message: ChatMessage) => ({ ...message, text, editedAt: new Date(editedAt) })
      this.#messages.replace((message) => message.id === id, edit)
    })
    this.client.on(MessageRecalled, (recalled) => this.#messages.drop(({ id }) => id === recalled.id))
  }

  /** Messages that `hears` and `asks` have returned, oldest first. */
  get heard(): readonly ChatMessage[] {
    return this.#heard
  }

  /** Sends a message; resolves when it is stored. */
  says(to: string | { readonly group: string }, text: string, options?: SendOptions): Promise<SentMessage> {
    return this.client.send(to, text, options)
  }

  /**
   * The oldest matching message that has arrived since the login and was not heard yet, or the next one to arrive. It is
   * acknowledged, and with it all earlier messages of the same sender.
   * @throws Error after the time limit, with the messages that arrived instead
   */
  hears(wanted: Wanted, { from, group, within }: HearOptions = {}): Promise<ChatMessage> {
    const matches = (message: ChatMessage) =>
      (from === undefined || message.from === from) &&
      (group === undefined || message.group === group) &&
      isWanted(wanted, message)
    const what = [quoted(wanted), from && `from ${from}`, group && `in ${group}`].filter(Boolean).join(' ')
    return this.#hear(matches, what, within)
  }

  /** Uploads a file and sends it; resolves when both are stored. @param source a path, or the content */
  async sendsFile(
    to: string | { readonly group: string },
    source: string | Uint8Array,
    { name, text = '' }: { readonly name?: string; readonly text?: string } = {},
  ): Promise<SentMessage & { readonly file: StoredFile }> {
    const shown = name ?? (typeof source === 'string' ? basename(source) : 'file')
    const file = await this.client.upload(typeof source === 'string' ? await readFile(source) : source, { name: shown })
    return { ...(await this.says(to, text, { file: file.id })), file }
  }

  /**
   * Hears a message with a file of this name, as `hears` does, and fetches the content.
   * @throws Error as `hears` does
   */
  async hearsFile(wanted: string | RegExp, { from, group, within }: HearOptions = {}): Promise<HeardFile> {
    const isWantedName = (name: string) => (typeof wanted === 'string' ? name === wanted : name.search(wanted) >= 0)
    const matches = ({ file, ...message }: ChatMessage) =>
      file !== undefined &&
      isWantedName(file.name) &&
      (from ?? message.from) === message.from &&
      (group ?? message.group) === message.group
    const what = [`a file ${quoted(wanted)}`, from && `from ${from}`, group && `in ${group}`].filter(Boolean).join(' ')
    const message = await this.#hear(matches, what, within)
    const chunks: Buffer[] = []
    for await (const chunk of this.client.download((message.file as MessageFile).id)) chunks.push(chunk)
    return { ...message, file: message.file as MessageFile, content: Buffer.concat(chunks) }
  }

  /**
   * Sends a message and returns the text of the next one in the same conversation, from the other user or, in a group,
   * from any other member.
   * @throws Error as `hears` does
   */
  async asks(
    to: string | { readonly group: string },
    text: string,
    { within }: { readonly within?: number } = {},
  ): Promise<string> {
    const asked = await this.says(to, text)
    const matches = ({ id, from, group }: ChatMessage) =>
      id > asked.id && (typeof to === 'string' ? from === to && group === undefined : group === to.group)
    return (await this.#hear(matches, `an answer to ${JSON.stringify(text)}`, within)).text
  }

  /**
   * Checks that no unheard message has arrived and none is in flight.
   * @throws Error that lists the messages
   */
  async hearsNothing() {
    await this.#parts.settled()
    if (this.#messages.unclaimed.length > 0) throw new Error(`${this.name} heard something.${this.#report()}`)
  }

  /** Sends any message and waits for its reply. @throws RefusedByServer */
  request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    return this.client.request(message, values)
  }

  /**
   * The oldest push of a type that was not taken yet, or the next one to arrive.
   * @param options.within milliseconds of real time
   * @throws Error after the time limit
   */
  async next<M extends ServerMessage>(
    message: M,
    { within = DEFAULT_WAIT_MS }: { readonly within?: number } = {},
  ): Promise<ValuesOf<M>> {
    const pushes = this.#pushes.get(message.name) ?? this.#record(message)
    const values = await pushes.take(() => true, within)
    if (values !== undefined) return values as ValuesOf<M>
    const waiting = [...this.#pushes].flatMap(([name, { unclaimed }]) => unclaimed.map(() => name))
    const other = waiting.length === 0 ? 'nothing else' : waiting.join(', ')
    throw new Error(`${this.name} was not told ${message.name} within ${within} ms, but ${other}.${this.#context()}`)
  }

  /** Makes the two users friends. */
  async befriends(other: TestUser) {
    await this.request(AddFriend, { user: other.name })
    // A request in the other direction accepts the first.
    await other.request(AddFriend, { user: this.name })
  }

  /** Joins a group, which is created if it does not exist. */
  async joins(group: string) {
    try {
      await this.request(JoinRoom, { group })
    } catch (error) {
      if (!(error instanceof RefusedByServer && error.failure === 'group_not_exist')) throw error
      await this.request(CreateRoom, { group })
    }
  }

  /** The name of the failure that refuses a request. @throws Error when the request succeeds */
  async refused(request: Promise<unknown>): Promise<string> {
    try {
      await request
    } catch (error) {
      if (error instanceof RefusedByServer) return error.failure
      throw error
    }
    throw new Error(`${this.name} was not refused`)
  }

  async #hear(
    matches: (message: ChatMessage) => boolean,
    what: string,
    within = DEFAULT_WAIT_MS,
  ): Promise<ChatMessage> {
    const message = await this.#messages.take(matches, within)
    if (message === undefined)
      throw new Error(`${this.name} did not hear ${what} within ${within} ms.${this.#report()}`)
    this.#heard.push(message)
    await this.client.acknowledge(message)
    return message
  }

  #record(message: ServerMessage): ArrivalQueue<object> {
    const pushes = new ArrivalQueue<object>(this.#parts.timeouts)
    this.#pushes.set(message.name, pushes)
    this.client.on(message, (values) => pushes.push(values))
    return pushes
  }

  #context(): string {
    const end = this.#end && `\n${this.name}’s connection is over: ${this.#end.message}.`
    return `${end ?? ''}${this.#parts.context()}`
  }

  #report(): string {
    const { unclaimed } = this.#messages
    const unheard = list('Not yet heard', unclaimed) || '\nNothing else came.'
    const { window } = this.#parts
    const full = unclaimed.length < window ? '' : `\nMore than ${window} unheard messages are not pushed.`
    return `${unheard}${list('Heard before', this.#heard)}${full}${this.#context()}`
  }
}

function isWanted(wanted: Wanted, message: ChatMessage): boolean {
  if (typeof wanted === 'string') return message.text === wanted
  // Unlike `test`, `search` ignores the `lastIndex` of a global pattern.
  return wanted instanceof RegExp ? message.text.search(wanted) >= 0 : wanted(message)
}

function quoted(wanted: Wanted): string {
  if (typeof wanted === 'string') return JSON.stringify(wanted)
  return wanted instanceof RegExp ? String(wanted) : 'a message that fits'
}

function list(title: string, messages: readonly ChatMessage[]): string {
  if (messages.length === 0) return ''
  const older = messages.length > MAX_LISTED ? `\n  … ${messages.length - MAX_LISTED} older ones` : ''
  const newest = messages.slice(-MAX_LISTED).map((message) => `\n  ${shown(message)}`)
  return `\n${title}:${older}${newest.join('')}`
}

const shown = ({ from, group, text }: ChatMessage) =>
  `${from}${group === undefined ? '' : ` in ${group}`}: ${JSON.stringify(text)}`
