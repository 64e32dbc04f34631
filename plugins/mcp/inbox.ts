import { AcknowledgeEvent, Consume, MoveConsumer, QueryConsumers, QueryState } from '../consumers/messages.ts'
import { AcknowledgeRoom } from '../groups/messages.ts'
import { Acknowledge, QueryInbox } from '../messages/messages.ts'
import { type Caller, failureOf } from './caller.ts'
import { type Call, lookUntil } from './looking.ts'
import type { Rights, Target } from './rights.ts'
import { conversationOf, isOwn, type WireMessage } from './views.ts'

/** Which messages a `wait` is for. */
export interface Wanted {
  /** One conversation. */
  readonly in?: Target | undefined
  /** Only messages that name the agent's account with @. */
  readonly mention: boolean
}

/**
 * New messages of an agent. How far it has got is kept by the server, in a durable consumer of the agent's name, and moves on
 * with the next call: a process that dies with an answer gets it again. A filter has a place of its own.
 */
export class Inbox {
  readonly #caller: Caller
  readonly #rights: Rights
  readonly #consumer: string
  /** What the last calls have returned, by filter. */
  readonly #returned = new Map<string, WireMessage>()
  /** Messages to mark as read with the next call. */
  #unread: readonly WireMessage[] = []

  constructor(caller: Caller, rights: Rights, consumer: string) {
    this.#caller = caller
    this.#rights = rights
    this.#consumer = consumer
  }

  /** The oldest message behind the place of the filter; undefined if none comes. */
  async wait(wanted: Wanted, seconds: number, call: Call): Promise<WireMessage | undefined> {
    const key = JSON.stringify(wanted)
    const before = this.#returned.get(key)
    let after = await this.#place(key, wanted)
    if (before !== undefined) {
      await this.#moveOn(key, wanted, before)
      after = Math.max(after, before.id)
      this.#returned.delete(key)
    }
    const found = await lookUntil(this.#caller, call, seconds, async () => {
      for (;;) {
        const { messages, more } = await this.#caller.request(QueryInbox, { after, all: true })
        const match = messages.find((message) => this.#matches(message, wanted))
        if (match !== undefined) return match
        after = messages.at(-1)?.id ?? after
        if (!more) return undefined
      }
    })
    if (found !== undefined) this.#returned.set(key, found)
    return found
  }

  /** Unread messages, oldest first. They are marked as read with the next call. */
  async unread(limit: number): Promise<{ readonly messages: readonly WireMessage[]; readonly more: boolean }> {
    for (const message of newestOf(this.#unread, this.#caller.user)) await this.#markRead(message)
    this.#unread = []
    const { messages, more } = await this.#caller.request(QueryInbox, { limit })
    return { messages: messages.filter((message) => this.mayRead(message)), more }
  }

  /** These messages were shown. */
  shown(messages: readonly WireMessage[]) {
    this.#unread = messages
  }

  mayRead(message: WireMessage): boolean {
    return this.#rights.mayReach(conversationOf(message, this.#caller.user))
  }

  #matches(message: WireMessage, wanted: Wanted): boolean {
    const { user } = this.#caller
    if (isOwn(message, user) || !this.mayRead(message)) return false
    const conversation = conversationOf(message, user)
    if (wanted.in !== undefined && !isSame(wanted.in, conversation)) return false
    return !wanted.mention || message.text.toLowerCase().includes(`@${user.toLowerCase()}`)
  }

  /** Where a filter goes on: at its own place, or at that of the agent if that one is further. */
  async #place(key: string, wanted: Wanted): Promise<number> {
    const base = await this.#base()
    if (isEverything(wanted)) return base
    const { state } = await this.#caller.request(QueryState, { consumer: this.#consumer, key })
    return Math.max(base, Number(state))
  }

  /** The place of the agent; a new one begins with the next message. */
  async #base(): Promise<number> {
    const { consumers } = await this.#caller.request(QueryConsumers, {})
    const known = consumers.find(({ consumer }) => consumer === this.#consumer)
    if (known !== undefined) return known.position
    const { position } = await this.#caller.request(Consume, { consumer: this.#consumer })
    // Without pushes: only the place is used.
    await this.#caller.request(MoveConsumer, { consumer: this.#consumer, after: position })
    return position
  }

  async #moveOn(key: string, wanted: Wanted, message: WireMessage) {
    const consumer = this.#consumer
    if (isEverything(wanted)) await this.#caller.request(MoveConsumer, { consumer, after: message.id })
    else await this.#caller.request(AcknowledgeEvent, { consumer, id: 0, key, state: String(message.id), keep: true })
    // A mention may leave earlier messages of its conversation unseen.
    if (!wanted.mention) await this.#markRead(message)
  }

  async #markRead({ from, group, id: upTo }: WireMessage) {
    try {
      if (group === '') await this.#caller.request(Acknowledge, { from, upTo })
      else await this.#caller.request(AcknowledgeRoom, { group, upTo })
    } catch (error) {
      // Its group or its sender is gone, and the message with it.
      if (!['group_not_exist', 'not_member', 'user_not_exist'].includes(failureOf(error) ?? '')) throw error
    }
  }
}

const isEverything = ({ in: target, mention }: Wanted) => target === undefined && !mention

const isSame = (one: Target, other: Target) => JSON.stringify(one) === JSON.stringify(other)

/** The newest message of each conversation. */
function newestOf(messages: readonly WireMessage[], self: string): Iterable<WireMessage> {
  return new Map(messages.map((message) => [JSON.stringify(conversationOf(message, self)), message])).values()
}
