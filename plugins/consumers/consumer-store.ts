import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type Clock, KeyedQueue, Refused } from '../../core/index.ts'
import {
  ConsumerLost,
  ConsumerWriter,
  findConsumer,
  insertConsumer,
  type StateUsage,
  type StoredConsumer,
} from '../../db/index.ts'
import { Consumer } from './consumer.ts'
import { FAILURES } from './failures.ts'
import type { ConsumerLimits } from './limits.ts'

/** Another server has taken the consumer since it was loaded. */
export class TakenElsewhere extends Refused {
  constructor() {
    super('unavailable', 'another server has taken the consumer', { retryAfter: 100 })
  }
}

export const noConsumer = (name: string) => new Refused(FAILURES.no_consumer, `there is no consumer "${name}"`)

export interface ConsumerStoreParts {
  readonly db: Knex
  readonly log: Logger
  readonly clock: Clock
  readonly limits: ConsumerLimits
  /** Called for a consumer that another server has taken. */
  readonly onLost: (consumer: Consumer) => void
}

/** State to store under a key of a consumer; an empty one deletes the key. */
export interface KeyedState {
  readonly userId: number
  /** Name of the consumer. */
  readonly name: string
  readonly key: string
  readonly state: string
  /** Commit at once rather than with the writes of the next milliseconds. */
  readonly isUrgent: boolean
}

/** Consumers of users who are online. A consumer is one object, however many sessions use it. */
export class ConsumerStore {
  readonly writer: ConsumerWriter
  readonly #parts: ConsumerStoreParts
  readonly #loaded = new Map<number, Map<string, Promise<Consumer | undefined>>>()
  readonly #held = new Set<Consumer>()
  readonly #queue = new KeyedQueue<number>()

  constructor(parts: ConsumerStoreParts) {
    this.#parts = parts
    this.writer = new ConsumerWriter(parts.db, (userId, name) => this.#lost(userId, name))
  }

  /** Runs tasks that create, move, start or delete consumers of one user one at a time. */
  inTurn<T>(userId: number, task: () => Promise<T>): Promise<T> {
    return this.#queue.run(userId, task)
  }

  /** Notes that a session receives the events of a consumer. */
  hold(consumer: Consumer) {
    this.#held.add(consumer)
  }

  /** The consumers whose events a session receives. */
  get active(): Consumer[] {
    return [...this.#held].filter(({ active }) => active)
  }

  /** Evicts the consumers of users who are offline. */
  evict(isOnline: (userId: number) => boolean) {
    for (const consumer of this.#held) if (!consumer.active) this.#held.delete(consumer)
    // Tasks in the queue rely on the loaded consumers.
    for (const userId of this.#loaded.keys())
      if (!isOnline(userId) && !this.#queue.isBusy(userId)) this.#loaded.delete(userId)
  }

  /** The consumer if it is loaded or loading. */
  peek(userId: number, name: string): Promise<Consumer | undefined> | undefined {
    return this.#loaded.get(userId)?.get(name)
  }

  /** The consumer, loaded if it is not. */
  find(userId: number, name: string): Promise<Consumer | undefined> {
    const own = this.#consumersOf(userId)
    const known = own.get(name)
    if (known !== undefined) return known
    const loading = this.#load(userId, name)
    own.set(name, loading)
    const evict = () => own.get(name) === loading && own.delete(name)
    loading.then((found) => found ?? evict(), evict)
    return loading
  }

  /** @throws Refused `no_consumer` */
  async require(userId: number, name: string): Promise<Consumer> {
    const found = await this.find(userId, name)
    if (found === undefined) throw noConsumer(name)
    return found
  }

  /** Finds or creates a consumer. To be called in turn. @param position of a new one @throws Refused `too_many` */
  async openOrCreate(userId: number, name: string, position: number): Promise<{ consumer: Consumer; isNew: boolean }> {
    const found = await this.find(userId, name)
    if (found !== undefined) return { consumer: found, isNew: false }
    const { db, clock, limits } = this.#parts
    const row = { user_id: userId, name, position, pending: [], moved_at: clock.time(), epoch: 0 }
    if ((await insertConsumer(db, row, limits.consumers)) === 'too_many')
      throw new Refused('too_many', 'you have too many consumers; delete_consumer deletes one')
    return { consumer: await this.require(userId, name), isNew: true }
  }

  /** The consumer if it is loaded, and this server has taken it. */
  async taken(userId: number, name: string): Promise<Consumer | undefined> {
    const known = await this.peek(userId, name)
    return known?.isTaken ? known : undefined
  }

  /**
   * Takes a consumer for this server: what others know of it cannot be stored any more. To be called in turn.
   * @throws Refused `no_consumer`
   */
  async take(userId: number, name: string): Promise<Consumer> {
    const known = await this.find(userId, name)
    let consumer: Consumer | undefined
    await this.writer.take(userId, name, (row) => {
      consumer = this.#current(known, row, 1)
    })
    if (consumer === undefined) throw noConsumer(name)
    consumer.isTaken = true
    return consumer
  }

  /** Loads a consumer again if another server has taken it since. To be called in turn. @throws Refused `no_consumer` */
  async reload(userId: number, name: string): Promise<Consumer> {
    await this.writer.settled()
    const known = await this.find(userId, name)
    const consumer = this.#current(known, await findConsumer(this.#parts.db, userId, name), 0)
    if (consumer === undefined) throw noConsumer(name)
    return consumer
  }

  /** Another server has taken a consumer, with this epoch. */
  async lose(userId: number, name: string, epoch: number) {
    const known = await this.peek(userId, name)
    if (known !== undefined && known.epoch < epoch) this.#drop(known)
  }

  /** Deletes a consumer, which is not found from now on. To be called in turn. */
  async delete(consumer: Consumer) {
    const { userId, name } = consumer
    consumer.isDeleted = true
    const own = this.#consumersOf(userId)
    const deleting = this.writer.delete(userId, name).then(() => undefined)
    own.set(name, deleting)
    try {
      await deleting
    } finally {
      if (own.get(name) === deleting) own.delete(name)
    }
  }

  /** Stores the position; resolves after the commit. @throws Refused `no_consumer` */
  async save(consumer: Consumer) {
    if (consumer.isDeleted) throw noConsumer(consumer.name)
    await stored(this.writer.save(consumer.row))
  }

  /** Stores the position without waiting; if that fails, it is written with the next one. */
  saveLater(consumer: Consumer) {
    if (consumer.isDeleted) return
    const { log } = this.#parts
    this.writer
      .save(consumer.row)
      .catch(
        (error: unknown) =>
          error instanceof ConsumerLost || log.warn({ err: error }, 'cannot store the position of a consumer'),
      )
  }

  /**
   * Stores state together with the position, in one transaction. The newest accepted state of the key decides how the
   * usage changes, so writes of one user are accepted in turn; their commits are shared.
   * @param change moves the position once the limits are checked
   * @throws Refused `too_many` beyond the limits on keys and bytes, `no_consumer`
   */
  async saveWithState({ userId, name, key, state, isUrgent }: KeyedState, change: (consumer: Consumer) => void) {
    const { saved } = await this.inTurn(userId, async () => {
      // Found in turn, during which none is evicted: otherwise two objects could count.
      const consumer = await this.require(userId, name)
      const earlier = await this.writer.state(userId, name, key)
      const usage = usageAfter(consumer.usage, earlier, state)
      if (this.#exceeds(usage, consumer.usage))
        throw new Refused('too_many', 'the stored state of this consumer is too large')
      change(consumer)
      consumer.usage = usage
      return { saved: this.writer.save(consumer.row, { key, state, ...usage }) }
    })
    if (isUrgent) this.writer.flush()
    await stored(saved)
  }

  /** Whether the state grows beyond a limit. What exceeds a limit that was lowered may stay and shrink. */
  #exceeds(usage: StateUsage, before: StateUsage): boolean {
    const { consumerKeys, consumerBytes } = this.#parts.limits
    return (
      usage.state_keys > Math.max(consumerKeys, before.state_keys) ||
      usage.state_bytes > Math.max(consumerBytes, before.state_bytes)
    )
  }

  #consumersOf(userId: number): Map<string, Promise<Consumer | undefined>> {
    const own = this.#loaded.get(userId) ?? new Map<string, Promise<Consumer | undefined>>()
    this.#loaded.set(userId, own)
    return own
  }

  /** The loaded consumer if its epoch is that of the row, less what the row's was raised by; otherwise one of the row. */
  #current(known: Consumer | undefined, row: StoredConsumer | undefined, raised: 0 | 1): Consumer | undefined {
    if (known !== undefined && known.epoch + raised === row?.epoch) {
      // Until it is taken here, another server may store its position.
      if (known.isTaken) known.epoch = row.epoch
      else known.refresh(row)
      return known
    }
    if (known !== undefined) this.#drop(known)
    if (row === undefined) return undefined
    const consumer = new Consumer(row)
    this.#consumersOf(row.user_id).set(row.name, Promise.resolve(consumer))
    return consumer
  }

  #lost(userId: number, name: string) {
    void this.peek(userId, name)?.then((known) => known && this.#drop(known))
  }

  #drop(consumer: Consumer) {
    this.#consumersOf(consumer.userId).delete(consumer.name)
    consumer.isTaken = false
    this.#parts.onLost(consumer)
  }

  async #load(userId: number, name: string): Promise<Consumer | undefined> {
    // One that was evicted a moment ago may not be written yet.
    await this.writer.settled()
    const row = await findConsumer(this.#parts.db, userId, name)
    return row && new Consumer(row)
  }
}

/** @throws TakenElsewhere */
async function stored(saving: Promise<void>) {
  try {
    await saving
  } catch (error) {
    throw error instanceof ConsumerLost ? new TakenElsewhere() : error
  }
}

/** The usage once `state` has replaced `earlier`; empty is no state. */
const usageAfter = ({ state_keys, state_bytes }: StateUsage, earlier: string, state: string): StateUsage => ({
  state_keys: state_keys + Number(state !== '') - Number(earlier !== ''),
  state_bytes: state_bytes + Buffer.byteLength(state) - Buffer.byteLength(earlier),
})
