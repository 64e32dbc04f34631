import { Client } from '../../../client/client.ts'
import type { LoginKeys } from '../../../client/credentials.ts'
import {
  BUILT_IN_MESSAGES,
  type ChatMessage,
  ClientError,
  OnNewMessage,
  RefusedByServer,
} from '../../../client/index.ts'
import { Catalogue } from '../../../core/wire/index.ts'
import type { Judge, Pushed } from '../judge/judge.ts'
import type { EventLoop, Process } from '../machine/event-loop.ts'
import type { Network } from '../world/network.ts'
import type { SimulatedNode } from '../world/node.ts'

/** Parts of a run that devices use. */
export interface Surroundings {
  readonly loop: EventLoop
  readonly network: Network
  readonly nodes: readonly SimulatedNode[]
  readonly judge: Judge
  readonly keys: LoginKeys
  readonly subscribers: Subscribers
}

/** Tells devices which of their subscriptions servers have handled, by their addresses. */
export class Subscribers {
  readonly #byAddress = new Map<string, Device>()

  /** @returns the address of a device */
  add(device: Device): string {
    const address = `192.0.2.${this.#byAddress.size + 1}`
    this.#byAddress.set(address, device)
    return address
  }

  /** A server has handled a subscription. */
  readonly handled = (address: string) => this.#byAddress.get(address)?.subscribed()
}

/** How a device follows the messages of its user. */
export type Habit = 'reads all' | 'reads some' | 'consumes'

/** Refusals that another attempt would not change. */
const isPermanent = (error: unknown) =>
  error instanceof RefusedByServer && error.retryAfter === 0 && !/^(unavailable|shutting_down)$/.test(error.failure)

const CONSUMER = 'inbox'

/** The name of a conversation, as in reads and pushes. */
const conversationOf = ({ from, group }: { from: string; group?: string | undefined }) =>
  group ? `in ${group}` : `from ${from}`

/** One client of a user, in a process of its own. It reads messages as its habit is, and its pushes are checked. */
export class Device {
  readonly name: string
  readonly user: string
  readonly process: Process
  readonly habit: Habit
  readonly surroundings: Surroundings
  /** Ids handed to the loop that reads. */
  readonly heard = new Set<number>()
  /** Ids of events that are certainly acknowledged. */
  readonly #done = new Set<number>()
  /** By conversation, how far the user has certainly read on any device. */
  readonly #read: Map<string, number>
  /** Copies of both, and the last number of the log, at the last disconnect. */
  #before = { done: new Set<number>(), read: new Map<string, number>(), head: 0 }
  #lastPushed = 0
  /** How often it has connected. */
  #connection = 0
  /** By id, the connection on which a message came last. */
  readonly #pushedOn = new Map<number, number>()
  /** Subscriptions on this connection after the first: each begins anew with what is unread. */
  #resubscribed = -1
  #client: Client | undefined
  /** The newest message of each conversation that was not acknowledged. */
  readonly #open = new Map<string, ChatMessage>()
  isDiligent: boolean
  #isClosing = false
  /** Where its consumer began; undefined before. */
  consumesFrom: number | undefined

  /** Its address, which no other device has. */
  readonly address: string

  constructor(name: string, user: string, habit: Habit, read: Map<string, number>, surroundings: Surroundings) {
    this.address = surroundings.subscribers.add(this)
    this.name = name
    this.user = user
    this.habit = habit
    this.isDiligent = habit !== 'reads some'
    this.#read = read
    this.surroundings = surroundings
    this.process = surroundings.loop.process(name)
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error(`${this.name} has not logged in`)
    return this.#client
  }

  /** Logs in and begins to read. */
  async start() {
    const { loop, network, nodes, keys, judge } = this.surroundings
    const first = loop.random.below(nodes.length)
    const addresses = nodes.map((_, at) => () => {
      const node = nodes[(first + at) % nodes.length] as SimulatedNode
      return network.dial(node, this.address)
    })
    const client = new Client({ addresses, catalogue: new Catalogue(BUILT_IN_MESSAGES), leastIterations: 1 })
    this.#client = client
    client.on(OnNewMessage, ({ messages }) => {
      for (const message of messages) this.#pushed(message)
    })
    client.onLife('disconnected', () => this.#disconnected())
    client.onLife('closed', (reason) => {
      if (reason.code !== 'closed') judge.breach(`${this.name} ended: ${reason.message} (${reason.code})`)
    })
    await this.persist(() => client.connect())
    await this.persist(() => client.login(this.user, { keys }))
    const reading = this.habit === 'consumes' ? this.#consume() : this.#readAll()
    reading.catch((error) => {
      if (!this.#isClosing) judge.breach(`${this.name} stopped to read: ${error}`)
    })
  }

  /** Repeats a request until it is answered. Returns undefined if it is refused for good. @throws an unexpected error */
  async persist<T>(request: () => Promise<T>): Promise<T | undefined> {
    const { loop } = this.surroundings
    for (;;) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        if (error instanceof RefusedByServer && error.failure === 'internal') throw error
        if (isPermanent(error)) return undefined
        await loop.sleep(loop.random.between(50, 500))
      }
    }
  }

  close() {
    this.#isClosing = true
    return this.client.close()
  }

  /** Acknowledges everything from now on, beginning with what was left out. */
  async catchUp() {
    this.isDiligent = true
    for (const message of [...this.#open.values()]) await this.#acknowledge(message)
  }

  /** A server has handled a subscription of this device. */
  subscribed() {
    this.#resubscribed++
  }

  #disconnected() {
    this.#lastPushed = 0
    this.#resubscribed = -1
    this.#connection++
    const { head } = this.surroundings.judge.log
    this.#before = { done: new Set(this.#done), read: new Map(this.#read), head }
  }

  #pushed(message: Pushed) {
    const { loop, judge } = this.surroundings
    const { id } = message
    loop.trace.add(`${this.name} was pushed ${id}`)
    judge.pushed(this.user, message, this.#before.head)
    if (id <= this.#lastPushed && --this.#resubscribed < 0)
      judge.breach(`${this.name} was pushed ${id} after ${this.#lastPushed}`)
    this.#lastPushed = id
    this.#pushedOn.set(id, this.#connection)
    if (this.habit === 'consumes') {
      if (this.#before.done.has(id)) judge.breach(`${this.name} was pushed ${id} again, which it had acknowledged`)
    } else if (message.from !== this.user && id <= (this.#before.read.get(conversationOf(message)) ?? 0))
      judge.breach(`${this.name} was pushed ${id} again, which was read`)
  }

  async #readAll() {
    const { random } = this.surroundings.loop
    for await (const message of this.client.messages({ acknowledge: false, own: true })) {
      this.heard.add(message.id)
      if (this.client.isOwn(message)) continue
      this.#open.set(conversationOf(message), message)
      if (this.isDiligent || random.chance(0.3)) await this.#acknowledge(message)
    }
  }

  async #acknowledge(message: ChatMessage) {
    const key = conversationOf(message)
    if (this.#open.get(key) === message) this.#open.delete(key)
    try {
      await this.client.acknowledge(message)
    } catch (error) {
      // The user has left the group.
      if (isPermanent(error)) return
      throw error
    }
    this.#read.set(key, Math.max(this.#read.get(key) ?? 0, message.id))
  }

  async #consume() {
    const onConsuming = ({ position }: { position: number }) => {
      this.consumesFrom ??= position
    }
    for await (const { id } of this.client.events(CONSUMER, { onConsuming })) {
      this.heard.add(id)
      await this.client.acknowledgeEvent(CONSUMER, id)
      // An acknowledgement on a later connection may come before the server pushes the event again.
      if (this.#pushedOn.get(id) === this.#connection) this.#done.add(id)
    }
  }
}
