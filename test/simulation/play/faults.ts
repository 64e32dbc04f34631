import type { Random } from '../../support/random.ts'
import type { EventLoop } from '../machine/event-loop.ts'
import type { SimulatedBus } from '../world/bus.ts'
import type { Network } from '../world/network.ts'
import type { SimulatedNode } from '../world/node.ts'
import type { DatabaseFault } from '../world/node-database.ts'

/** What faults act on. */
export interface Victims {
  readonly loop: EventLoop
  readonly network: Network
  readonly nodes: readonly SimulatedNode[]
  readonly bus: SimulatedBus | undefined
}

/** Pause between two faults, in milliseconds. */
const PAUSE_MS = [20, 800] as const
/** Faults of a run. With crashes alone, servers may be up too briefly for a far client to log in, and it would have no end. */
const MAX_FAULTS = 100

const DATABASE_CODES = ['SQLITE_FULL', 'SQLITE_IOERR_FSYNC', 'SQLITE_BUSY', 'PROTOCOL_CONNECTION_LOST']
const COMMIT = /^commit/i

/** Faults of a run: some kinds of them, drawn from the seed, one after the other until `stop`, or as many as may be. */
export class Faults {
  readonly #victims: Victims
  readonly #random: Random
  readonly #kinds: readonly (() => unknown)[]
  #isOver = false
  #count = 0

  constructor(victims: Victims) {
    this.#victims = victims
    this.#random = victims.loop.random
    const all = [
      () => this.#breakLink(),
      () => this.#stallLink(),
      () => this.#crash(),
      () => this.#restart(),
      () => this.#failStatement(),
      () => this.#crashAtStatement(),
      () => this.#outage(),
      () => this.#freeze(),
      () => this.#cutOff(),
      () => this.#skew(),
      ...(victims.bus === undefined ? [] : [() => this.#cutBus(), () => this.#disturbBus()]),
    ]
    this.#kinds = all.filter(() => this.#random.chance(0.5))
  }

  /** Faults so far. */
  get count(): number {
    return this.#count
  }

  async run() {
    const { loop, nodes } = this.#victims
    while (this.#kinds.length > 0) {
      await loop.sleep(this.#random.between(...PAUSE_MS))
      if (this.#isOver) return
      if (this.#count === MAX_FAULTS) return this.stop()
      this.#count++
      await this.#random.pick(this.#kinds)()
      // A fault of the database may have ended a node, at any time.
      for (const node of nodes) if (!this.#isOver && this.#random.chance(0.5)) await this.#start(node)
    }
  }

  /** Ends all faults, and starts the nodes that are down. */
  async stop() {
    this.#isOver = true
    const { nodes, bus, network, loop } = this.#victims
    if (bus !== undefined) bus.faults = { lost: 0, repeated: 0, delayMs: 0.3 }
    for (const link of network.linksOf()) if (link.isBlack) link.break()
    for (const node of nodes) {
      node.isCut = false
      node.skew = 0
      node.database?.heal()
      node.bus?.heal()
      if (node.process !== undefined) node.process.isFrozen = false
      while (!node.isUp) {
        await this.#start(node)
        await loop.sleep(10)
      }
    }
  }

  #node(): SimulatedNode {
    return this.#random.pick(this.#victims.nodes)
  }

  #breakLink() {
    const links = this.#victims.network.linksOf()
    if (links.length > 0) this.#random.pick(links).break()
  }

  #stallLink() {
    const links = this.#victims.network.linksOf()
    if (links.length === 0) return
    const link = this.#random.pick(links)
    if (this.#random.chance(0.2)) link.isBlack = true
    else link.stall(this.#random.between(1, 3000))
  }

  #crash() {
    return this.#whileDown(this.#node(), (node) => node.crash(this.#random.chance(0.8)))
  }

  #restart() {
    return this.#whileDown(this.#node(), (node) => Promise.race([node.stop(), this.#victims.loop.sleep(20_000)]))
  }

  /** Takes a node down, and up again after a while. */
  async #whileDown(node: SimulatedNode, takeDown: (node: SimulatedNode) => unknown) {
    if (node.server === undefined) return
    await takeDown(node)
    await this.#victims.loop.sleep(this.#random.between(1, 1500))
    await this.#start(node)
  }

  /** Not if the node crashes meanwhile. */
  async #start(node: SimulatedNode) {
    if (!node.isUp) await Promise.race([node.start(), this.#victims.loop.sleep(5000)])
  }

  #failStatement() {
    this.#node().database?.arm(this.#fault(this.#random.pick(['before', 'after'])))
  }

  #crashAtStatement() {
    this.#node().database?.arm(this.#fault(this.#random.pick(['crash before', 'crash after'])))
  }

  #fault(mode: DatabaseFault['mode']): DatabaseFault {
    const code = this.#random.pick(DATABASE_CODES)
    return this.#random.chance(0.5)
      ? { mode, code, wait: this.#random.below(5), of: COMMIT }
      : { mode, code, wait: this.#random.below(100) }
  }

  async #outage() {
    const { database } = this.#node()
    if (database === undefined) return
    database.outage = this.#random.pick(DATABASE_CODES)
    await this.#victims.loop.sleep(this.#random.between(1, 3000))
    database.outage = undefined
  }

  async #freeze() {
    const { process } = this.#node()
    if (process === undefined) return
    process.isFrozen = true
    await this.#victims.loop.sleep(this.#random.between(1, 8000))
    process.isFrozen = false
  }

  async #cutOff() {
    const node = this.#node()
    node.isCut = true
    for (const link of this.#victims.network.linksOf(node)) link.stall(3000)
    await this.#victims.loop.sleep(this.#random.between(1, 3000))
    node.isCut = false
  }

  #skew() {
    this.#node().skew = Math.round(this.#random.between(-60_000, 60_000))
  }

  async #cutBus() {
    const { bus } = this.#node()
    if (bus === undefined) return
    bus.isCut = true
    await this.#victims.loop.sleep(this.#random.between(1, 5000))
    bus.heal()
  }

  #disturbBus() {
    const { bus } = this.#victims
    if (bus === undefined) return
    const random = this.#random
    bus.faults = { lost: random.between(0, 0.5), repeated: random.between(0, 0.5), delayMs: random.between(0.3, 300) }
  }
}
