import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type Clock, KeyedQueue, Refused } from '../../core/index.ts'
import { ConsumerWriter, countStates, findConsumer, insertConsumer, stateBytesOf } from '../../db/index.ts'
import { Consumer } from './consumer.ts'
import { FAILURES } from './failures.ts'
import type { ConsumerLimits } from './limits.ts'

export const noConsumer = (name: string) => new Refused(FAILURES.no_consumer, `there is no consumer "${name}"`)

export interface ConsumerStoreParts {
  readonly db: Knex
  readonly log: Logger
  readonly clock: Clock
  readonly limits: ConsumerLimits
}

/** State to store under a key of a consumer; an empty one deletes the key. */
export interface KeyedState {
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
  readonly #queue = new KeyedQueue<number>()

  constructor(parts: ConsumerStoreParts) {
    this.#parts = parts
    this.writer = new ConsumerWriter(parts.db)
  }

  /** Runs tasks that create, move, start or delete consumers of one user one at a time. */
  inTurn<T>(userId: number, task: () => Promise<T>): Promise<T> {
    return this.#queue.run(userId, task)
  }

  /** Evicts the consumers of users who are offline. */
  evict(isOnline: (userId: number) => boolean) {
    // Tasks in the queue rely on the loaded consumers.
    for (const userId of this.#loaded.keys())
      if (!isOnline(userId) && !this.#queue.isBusy(userId)) this.#loaded.delete(userId)
  }

  /** The consumer if it is loaded or loading. */
  peek(userId: number, name: string): Promise<Consumer | undefined> | undefined {
    return this.#loaded.get(userId)?.get(name)
  }

  /** @throws Refused `no_consumer` */
  async require(userId: number, name: string): Promise<Consumer> {
    const found = await this.#find(userId, name)
    if (found === undefined) throw noConsumer(name)
    return found
  }

  /** Finds or creates a consumer. To be called in turn. @param position of a new one @throws Refused `too_many` */
  async openOrCreate(userId: number, name: string, position: number): Promise<{ consumer: Consumer; isNew: boolean }> {
    const found = await this.#find(userId, name)
    if (found !== undefined) return { consumer: found, isNew: false }
    const { db, clock, limits } = this.#parts
    const row = { user_id: userId, name, position, pending: [], moved_at: clock.time() }
    if ((await insertConsumer(db, row, limits.consumers)) === 'too_many')
      throw new Refused('too_many', 'you have too many consumers; delete_consumer deletes one')
    return { consumer: await this.require(userId, name), isNew: true }
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
    await this.writer.save(consumer.row)
  }

  /** Stores the position without waiting; if that fails, it is written with the next one. */
  saveLater(consumer: Consumer) {
    if (consumer.isDeleted) return
    const { log } = this.#parts
    this.writer
      .save(consumer.row)
      .catch((error: unknown) => log.warn({ err: error }, 'cannot store the position of a consumer'))
  }

  /**
   * Stores the position together with state, in one transaction.
   * @param change moves the position once the limits are checked
   * @throws Refused `too_many` beyond the limits on keys and bytes, `no_consumer`
   */
  async saveWithState(consumer: Consumer, { key, state, isUrgent }: KeyedState, change: () => void) {
    const { userId, name, newKeys } = consumer
    const earlier = await this.writer.state(userId, name, key)
    const growth = Buffer.byteLength(state) - Buffer.byteLength(earlier)
    const isNew = state !== '' && earlier === ''
    if (growth > 0) await this.#checkBytes(consumer, growth)
    if (isNew) newKeys.set(key, (newKeys.get(key) ?? 0) + 1)
    try {
      if (isNew) await this.#checkKeys(consumer)
      if (consumer.isDeleted) throw noConsumer(name)
      change()
      const saved = this.writer.save(consumer.row, { user_id: userId, name, state_key: key, state })
      if (isUrgent) this.writer.flush()
      if (consumer.stateBytes !== undefined) consumer.stateBytes += growth
      await saved
    } finally {
      const times = (newKeys.get(key) ?? 0) - 1
      if (isNew && times > 0) newKeys.set(key, times)
      else if (isNew) newKeys.delete(key)
    }
  }

  /** @throws Refused `too_many` */
  async #checkKeys({ userId, name, newKeys }: Consumer) {
    // Read before the query: at every moment a key is in one of the two counts, or in both.
    const writing = newKeys.size
    const stored = await countStates(this.#parts.db, userId, name)
    if (stored + writing > this.#parts.limits.consumerKeys)
      throw new Refused('too_many', 'the stored state of this consumer is too large')
  }

  /**
   * Counted in the database at first and when the estimate reaches the limit. In between it is estimated: concurrent writes
   * of one key count twice.
   * @throws Refused `too_many`
   */
  async #checkBytes(consumer: Consumer, growth: number) {
    const { db, limits } = this.#parts
    const isTooMuch = () => (consumer.stateBytes ?? Number.POSITIVE_INFINITY) + growth > limits.consumerBytes
    if (!isTooMuch()) return
    await this.writer.settled()
    consumer.stateBytes = await stateBytesOf(db, consumer.userId, consumer.name)
    if (isTooMuch()) throw new Refused('too_many', 'the stored state of this consumer is too large')
  }

  #consumersOf(userId: number): Map<string, Promise<Consumer | undefined>> {
    const own = this.#loaded.get(userId) ?? new Map<string, Promise<Consumer | undefined>>()
    this.#loaded.set(userId, own)
    return own
  }

  #find(userId: number, name: string): Promise<Consumer | undefined> {
    const own = this.#consumersOf(userId)
    const known = own.get(name)
    if (known !== undefined) return known
    const loading = this.#load(userId, name)
    own.set(name, loading)
    const evict = () => own.get(name) === loading && own.delete(name)
    loading.then((found) => found ?? evict(), evict)
    return loading
  }

  async #load(userId: number, name: string): Promise<Consumer | undefined> {
    // One that was evicted a moment ago may not be written yet.
    await this.writer.settled()
    const row = await findConsumer(this.#parts.db, userId, name)
    return row && new Consumer(row)
  }
}
