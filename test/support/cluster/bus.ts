import type { ClusterLink } from '../../../cli/server/cluster/link.ts'
import type { Answers, Cluster } from '../../../core/cluster/cluster.ts'

type Listener = (payload: unknown, from: number) => void
type Responder = (question: unknown, from: number) => unknown

/** Connects nodes in one process, in place of NATS. */
export class Bus {
  readonly #nodes: BusNode[] = []

  /** A new node, which is told what the others say from now on. */
  join(id = this.#nodes.length + 1): BusNode {
    const node = new BusNode(this, id)
    this.#nodes.push(node)
    return node
  }

  get size(): number {
    return this.#nodes.length
  }

  leave(node: BusNode) {
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
  }

  /** Those that the node reaches. */
  othersOf(node: BusNode): BusNode[] {
    return this.#nodes.filter((other) => other !== node && !other.isCut && !node.isCut)
  }

  /** All other nodes. */
  idsBut(node: BusNode): number[] {
    return this.#nodes.filter((other) => other !== node).map((other) => other.node)
  }
}

/** What one node sees of the bus. */
export class BusNode implements Cluster, ClusterLink {
  readonly node: number
  /** Nothing reaches this node, and it reaches nobody, until `heal`. */
  isCut = false
  readonly #bus: Bus
  readonly #listeners = new Map<string, Listener[]>()
  readonly #responders = new Map<string, Responder>()
  readonly #gaps: (() => void)[] = []

  constructor(bus: Bus, node: number) {
    this.#bus = bus
    this.node = node
  }

  get cluster(): Cluster {
    return this
  }

  get figures() {
    return { said: 0, heard: 0, lost: 0, gaps: 0 }
  }

  peer() {
    return this.isCut ? undefined : 'bus'
  }

  async close() {
    this.#bus.leave(this)
  }

  cut() {
    this.isCut = true
  }

  heal() {
    this.isCut = false
    for (const listener of this.#gaps) listener()
  }

  say(topic: string, payload: unknown) {
    const sent = JSON.stringify(payload)
    for (const other of this.#bus.othersOf(this)) setImmediate(() => other.#deliver(topic, JSON.parse(sent), this.node))
  }

  hear(topic: string, listener: Listener) {
    this.#listeners.set(topic, [...(this.#listeners.get(topic) ?? []), listener])
    return () =>
      void this.#listeners.set(
        topic,
        (this.#listeners.get(topic) ?? []).filter((one) => one !== listener),
      )
  }

  async ask<T>(topic: string, question: unknown): Promise<Answers<T>> {
    const answers = new Map<number, T>()
    const others = this.#bus.othersOf(this).map(async (other) => {
      const answer = await other.#responders.get(topic)?.(JSON.parse(JSON.stringify(question)), this.node)
      if (answer !== undefined) answers.set(other.node, JSON.parse(JSON.stringify(answer)))
    })
    await Promise.allSettled(others)
    return { answers, silent: this.#bus.idsBut(this).filter((id) => !answers.has(id)) }
  }

  answer(topic: string, respond: Responder) {
    this.#responders.set(topic, respond)
    return () => void this.#responders.delete(topic)
  }

  onGap(listener: () => void) {
    this.#gaps.push(listener)
    return () => void this.#gaps.splice(this.#gaps.indexOf(listener), 1)
  }

  #deliver(topic: string, payload: unknown, from: number) {
    if (this.isCut) return
    for (const listener of this.#listeners.get(topic) ?? []) listener(payload, from)
  }
}
