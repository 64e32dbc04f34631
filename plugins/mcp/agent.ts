import { createHash } from 'node:crypto'
import { newClientId, TokenBucket } from '../../core/index.ts'
import { ChatroomMessage, QueryRoomHistory } from '../groups/messages.ts'
import { QueryHistory, SearchMessages, SendMessage } from '../messages/messages.ts'
import { type Caller, NotAllowed } from './caller.ts'
import { Inbox } from './inbox.ts'
import { Questions } from './questions.ts'
import { nameOf, type Rights, type Target } from './rights.ts'
import { conversationOf, fitting, isOwn, type MessageView, viewOf, type WireMessage } from './views.ts'

/** Messages an agent may send in a minute. */
const SENDS_PER_MINUTE = 20
const MAX_HOPS = 255

export interface PageView {
  readonly messages: readonly MessageView[]
  /** There are more in the direction of the request. */
  readonly more: boolean
}

/** A model's program at work for a user, with rights that the model cannot change. */
export class Agent {
  /** Distinguishes the agents of one user. */
  readonly name: string
  readonly caller: Caller
  readonly rights: Rights
  readonly inbox: Inbox
  readonly questions: Questions
  readonly #sends: TokenBucket
  /** Hops of the last message seen in each conversation: its answer continues the chain. */
  readonly #hops = new Map<string, number>()

  constructor(name: string, caller: Caller, rights: Rights) {
    this.name = name
    this.caller = caller
    this.rights = rights
    this.inbox = new Inbox(caller, rights, `mcp ${name}`)
    this.questions = new Questions(caller, rights)
    this.#sends = new TokenBucket(SENDS_PER_MINUTE / 60, SENDS_PER_MINUTE, caller.clock.now())
  }

  /** Sends a message. The same key stores it once. @throws NotAllowed `rate_limited` */
  send(target: Target, text: string, key: string | undefined) {
    const wait = this.#sends.take(this.caller.clock.now())
    if (wait > 0) {
      this.#sends.giveBack()
      const seconds = Math.ceil(wait / 1000)
      throw new NotAllowed('rate_limited', `an agent sends ${SENDS_PER_MINUTE} messages a minute: wait ${seconds} s`)
    }
    const clientId = key === undefined ? newClientId() : this.#clientId(key)
    const hops = Math.min((this.#hops.get(nameOf(target)) ?? 0) + 1, MAX_HOPS)
    return 'group' in target
      ? this.caller.request(ChatroomMessage, { group: target.group, text, clientId, hops })
      : this.caller.request(SendMessage, { to: target.user, text, clientId, hops })
  }

  /** A page of a conversation, oldest first. */
  async history(target: Target, place: { readonly before: number; readonly limit: number }): Promise<PageView> {
    const { messages, more } = await ('group' in target
      ? this.caller.request(QueryRoomHistory, { group: target.group, ...place })
      : this.caller.request(QueryHistory, { with: target.user, ...place }))
    return this.newest(messages, more)
  }

  async search(text: string, target: Target | undefined, before: number) {
    const where = target === undefined ? {} : 'group' in target ? target : { with: target.user }
    const { messages, more, searchedTo } = await this.caller.request(SearchMessages, { text, before, ...where })
    const readable = messages.filter((message) => this.inbox.mayRead(message))
    const page = this.newest(readable, more)
    const [first] = page.messages
    // What did not fit comes with the next page.
    const next = page.messages.length < readable.length ? (first?.id ?? searchedTo) : searchedTo
    return { ...page, ...(page.more && { before: next }) }
  }

  /** The newest of these messages that fit into a page. */
  newest(messages: readonly WireMessage[], more: boolean): PageView {
    const views = this.view(messages).reverse()
    const count = fitting(views)
    return { messages: views.slice(0, count).reverse(), more: more || count < views.length }
  }

  /** The oldest of these messages that fit into a page. */
  oldest(messages: readonly WireMessage[], more: boolean): PageView {
    const views = this.view(messages)
    const count = fitting(views)
    return { messages: views.slice(0, count), more: more || count < views.length }
  }

  view(messages: readonly WireMessage[]): MessageView[] {
    const { user } = this.caller
    for (const message of messages)
      if (!isOwn(message, user)) this.#hops.set(nameOf(conversationOf(message, user)), message.hops)
    return messages.map((message) => viewOf(message, user))
  }

  #clientId(key: string): string {
    return `mcp-${createHash('sha256').update(`${this.name} ${key}`).digest('base64url')}`
  }
}
