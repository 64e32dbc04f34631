import type { Answers, Cluster } from '../../../core/cluster/cluster.ts'
import type { EventLoop, Process } from '../machine/event-loop.ts'

type Listener = (payload: unknown, from: number) => void
type Responder = (question: unknown, from: number) => unknown

/** How long a node waits for the answers of the others, in milliseconds. */
const ASK_LIMIT_MS = 1000

/** What the bus does with a message, as shares; and how long one takes, in milliseconds. */
export interface BusFaults {
  readonly lost: number
  readonly repeated: number
  readonly delayMs: number
}

/** Carries what the nodes of a cluster say to each other, in place of NATS. */
export class SimulatedBus {
  readonly loop: EventLoop
  readonly #nodes = new Set<BusNode>()
  faults: BusFaults = { lost: 0, repeated: 0, delayMs: 0.3 }
  /** Messages and bytes that nodes have been sent. */
  readonly sent = { messages: 0, bytes: 0 }

  constructor(loop: EventLoop) {
    this.loop = loop
  }

  /** A node that has just started. */
  join(process: Process, id: number): BusNode {
    const node = new BusNode(this, process, id)
    this.#nodes.add(node)
    return node
  }

  leave(node: BusNode) {
    this.#nodes.delete(node)
  }

  othersOf(node: BusNode): BusNode[] {
    return [...this.#nodes].filter((other) => other !== node)
  }

  /** Calls `deliver` as a task of the other node: once, twice or never, and perhaps in another order. */
  carry(from: BusNode, to: BusNode, bytes: number, deliver: () => void) {
    const { random } = this.loop
    const { lost, repeated, delayMs } = this.faults
    this.sent.messages++
    this.sent.bytes += bytes
    const isLost = random.chance(lost)
    const times = random.chance(repeated) ? 2 : 1
    for (let time = 0; time < times; time++) {
      const delay = delayMs * random.between(0.5, 1.5)
      if (isLost || from.isCut || to.isCut || from.process.isDead) continue
      this.loop.after(to.process, delay, () => {
        if (!to.isCut) deliver()
      })
    }
  }
}

/** What one node sees of the bus. */
export class BusNode implements Cluster {
  readonly node: number
  readonly process: Process
  isCut = false
  readonly #bus: SimulatedBus
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #responders = new Map<string, Responder>()
  readonly #gaps = new Set<() => void>()

  constructor(bus: SimulatedBus, process: Process, node: number) {
    this.#bus = bus
    this.process = process
    this.node = node
  }

  /** Reaches the others again, and is told that it has missed something. */
  heal() {
    this.isCut = false
    for (const listener of this.#gaps) this.#bus.loop.post(this.process, listener)
  }

  say(topic: string, payload: unknown) {
    const text = JSON.stringify(payload)
    for (const other of this.#bus.othersOf(this))
      this.#bus.carry(this, other, text.length, () => other.#hear(topic, JSON.parse(text), this.node))
  }

  hear(topic: string, listener: Listener) {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  async ask<T>(topic: string, question: unknown): Promise<Answers<T>> {
    const { loop } = this.#bus
    const others = this.#bus.othersOf(this)
    const text = JSON.stringify(question)
    const answers = new Map<number, T>()
    await new Promise<void>((resolve) => {
      loop.after(this.process, ASK_LIMIT_MS, resolve)
      for (const other of others) {
        const reply = (answer: unknown) => {
          if (answer === undefined) return
          const back = JSON.stringify(answer)
          this.#bus.carry(other, this, back.length, () => {
            answers.set(other.node, JSON.parse(back))
            if (answers.size === others.length) resolve()
          })
        }
        this.#bus.carry(this, other, text.length, () => void other.#answer(topic, JSON.parse(text), this.node, reply))
      }
      if (others.length === 0) resolve()
    })
    return { answers, silent: others.map(({ node }) => node).filter((id) => !answers.has(id)) }
  }

  answer(topic: string, respond: Responder) {
    this.#responders.set(topic, respond)
    return () => void this.#responders.delete(topic)
  }

  onGap(listener: () => void) {
    this.#gaps.add(listener)
    return () => void this.#gaps.delete(listener)
  }

  #hear(topic: string, payload: unknown, from: number) {
    for (const listener of this.#listeners.get(topic) ?? []) listener(payload, from)
  }

  async #answer(topic: string, question: unknown, from: number, reply: (answer: unknown) => void) {
    reply(await this.#responders.get(topic)?.(question, from))
  }
}
