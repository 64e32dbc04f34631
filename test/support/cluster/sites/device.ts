import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../../../../client/client.ts'
import type { LoginKeys } from '../../../../client/credentials.ts'
import {
  BUILT_IN_MESSAGES,
  type ChatMessage,
  ClientError,
  OnNewMessage,
  RefusedByServer,
} from '../../../../client/index.ts'
import { Catalogue } from '../../../../core/wire/index.ts'
import type { Breaches } from './breaches.ts'

/** How a device follows the messages of its user. */
export type Habit = 'reads all' | 'reads some' | 'consumes'

const CONSUMER = 'inbox'
/** A client that waits longer for an answer takes another node. */
const TIMEOUT_MS = 3000
const KEEP_ALIVE_MS = 1000
/** Share of the messages that a device acknowledges which does not read all. */
const SOME = 0.3

/** Refusals that another attempt would not change. */
export const isPermanent = (error: unknown) =>
  error instanceof RefusedByServer && error.retryAfter === 0 && !/^(unavailable|shutting_down)$/.test(error.failure)

/** The name of a conversation, in reads and pushes. */
const conversationOf = ({ from, group }: Pick<ChatMessage, 'from' | 'group'>) =>
  group ? `in ${group}` : `from ${from}`

export interface DeviceSettings {
  readonly name: string
  readonly user: string
  readonly habit: Habit
  /** Unix sockets of the nodes that it may use, the first one first. */
  readonly sockets: readonly string[]
  /** By conversation, how far the user has certainly read on any device. */
  readonly read: Map<string, number>
  readonly breaches: Breaches
}

/** One client of a user, whose pushes are checked when they come. */
export class Device {
  readonly settings: DeviceSettings
  readonly client: Client
  /** Ids handed to the loop that reads, since `forget`. */
  readonly heard = new Set<number>()
  /** The last id handed to that loop, by conversation. */
  readonly #last = new Map<string, number>()
  /** Ids of events that are certainly acknowledged. */
  readonly #done = new Set<number>()
  /** Copies of both, at the last disconnect. */
  #before = { done: new Set<number>(), read: new Map<string, number>() }
  #lastPushed = 0
  #connection = 0
  /** By id, the connection on which an event came last. */
  readonly #pushedOn = new Map<number, number>()
  /** The newest message of each conversation that was not acknowledged. */
  readonly #open = new Map<string, ChatMessage>()
  #isClosing = false
  #lostAt: number | undefined
  #longestGap = 0

  constructor(settings: DeviceSettings) {
    this.settings = settings
    const addresses = settings.sockets.map((path) => ({ path }))
    this.client = new Client({
      ...{ addresses, catalogue: new Catalogue(BUILT_IN_MESSAGES) },
      ...{ timeout: TIMEOUT_MS, keepAlive: KEEP_ALIVE_MS },
    })
    this.client.on(OnNewMessage, ({ messages }) => {
      for (const message of messages) this.#pushed(message)
    })
    this.client.onLife('disconnected', () => this.#disconnected())
    this.client.onLife('reconnected', () => this.#reconnected())
    this.client.onLife('closed', ({ code, message }) => {
      if (code !== 'closed') settings.breaches.add(`${settings.name} ended: ${message} (${code})`)
    })
  }

  /** Logs in and begins to read. */
  async start(keys: LoginKeys) {
    const { user, habit } = this.settings
    await this.client.connect()
    await this.client.login(user, { keys })
    if (habit !== 'consumes') return void this.#read().catch(this.#onError)
    await new Promise<void>((begun) => {
      this.#consume(begun).catch(this.#onError)
    })
  }

  readonly #onError = (error: unknown) => {
    // Refused for good: the user has left the group.
    if (!this.#isClosing && !isPermanent(error)) this.settings.breaches.add(`${this.settings.name}: ${String(error)}`)
  }

  close() {
    this.#isClosing = true
    return this.client.close()
  }

  /** The longest time without a node since it was asked last, in milliseconds. */
  takeGap(): number {
    const gap = Math.max(this.#longestGap, this.#lostAt === undefined ? 0 : performance.now() - this.#lostAt)
    this.#longestGap = 0
    return gap
  }

  /** Forgets what was heard up to an id. */
  forget(upTo: number) {
    for (const id of this.heard) if (id <= upTo) this.heard.delete(id)
    for (const id of this.#pushedOn.keys()) if (id <= upTo) this.#pushedOn.delete(id)
  }

  /** Repeats a request until it is answered. Returns undefined if it is refused for good. @throws an unexpected error */
  async persist<T>(request: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        if (error instanceof RefusedByServer && error.failure === 'internal') throw error
        if (isPermanent(error)) return undefined
        await sleep(50 + Math.random() * 200)
      }
    }
  }

  #disconnected() {
    this.#lostAt = performance.now()
    this.#lastPushed = 0
    this.#connection++
    this.#before = { done: new Set(this.#done), read: new Map(this.settings.read) }
  }

  #reconnected() {
    if (this.#lostAt !== undefined) this.#longestGap = Math.max(this.#longestGap, performance.now() - this.#lostAt)
    this.#lostAt = undefined
  }

  #pushed(message: Pick<ChatMessage, 'id' | 'from'> & { readonly group: string }) {
    const { name, user, habit, breaches } = this.settings
    const { id } = message
    if (id <= this.#lastPushed) breaches.add(`${name} was pushed ${id} after ${this.#lastPushed}`)
    this.#lastPushed = id
    this.#pushedOn.set(id, this.#connection)
    if (habit === 'consumes') {
      if (this.#before.done.has(id)) breaches.add(`${name} was pushed ${id} again, which it had acknowledged`)
    } else if (message.from !== user && id <= (this.#before.read.get(conversationOf(message)) ?? 0))
      breaches.add(`${name} was pushed ${id} again, which was read`)
  }

  #hear(message: ChatMessage) {
    const { name, breaches } = this.settings
    const { id } = message
    const key = message.group ? `in ${message.group}` : privateName(message)
    if (id <= (this.#last.get(key) ?? 0)) breaches.add(`${name} hears ${id} after ${this.#last.get(key)} ${key}`)
    this.#last.set(key, id)
    this.heard.add(id)
  }

  async #read() {
    const { habit } = this.settings
    for await (const message of this.client.messages({ acknowledge: false, own: true })) {
      this.#hear(message)
      if (this.client.isOwn(message)) continue
      this.#open.set(conversationOf(message), message)
      // Not awaited: one that is retried must not hold up what comes next.
      if (habit === 'reads all' || Math.random() < SOME) void this.#acknowledge(message).catch(this.#onError)
    }
  }

  async #acknowledge(message: ChatMessage) {
    const key = conversationOf(message)
    if (this.#open.get(key) === message) this.#open.delete(key)
    await this.client.acknowledge(message)
    const { read } = this.settings
    read.set(key, Math.max(read.get(key) ?? 0, message.id))
  }

  async #consume(onConsuming: () => void) {
    for await (const message of this.client.events(CONSUMER, { onConsuming })) {
      this.#hear(message)
      void this.#finish(message.id).catch(this.#onError)
    }
  }

  async #finish(id: number) {
    await this.client.acknowledgeEvent(CONSUMER, id)
    // An acknowledgement on a later connection may come before the server pushes the event again.
    if (this.#pushedOn.get(id) === this.#connection) this.#done.add(id)
  }
}

const privateName = ({ from, to = '' }: ChatMessage) => `with ${[from, to].sort().join(' and ')}`
