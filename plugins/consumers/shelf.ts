import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type Clock, KeyedQueue, Refused } from '../../core/index.ts'
import { ConsumerWriter, countStates, findConsumer, insertConsumer, stateBytesOf } from '../../db/index.ts'
import { Consumer } from './consumer.ts'
import { FAILURES } from './failures.ts'
import type { ConsumerLimits } from './limits.ts'

export const noConsumer = (name: string) => new Refused(FAILURES.no_consumer, `there is no consumer "${name}"`)

export interface ShelfParts {
  readonly db: Knex
  readonly log: Logger
  readonly clock: Clock
  readonly limits: ConsumerLimits
}

/** What is kept under a key of a consumer; empty to forget it. */
export interface Kept {
  readonly key: string
  readonly state: string
  /** True to write it at once rather than with what comes in the next moments. */
  readonly isUrgent: boolean
}

/** The consumers of users who are here. One consumer is one object, however many sessions ask for it at once. */
export class Shelf {
  readonly writer: ConsumerWriter
  readonly #parts: ShelfParts
  readonly #open = new Map<number, Map<string, Promise<Consumer | undefined>>>()
  readonly #queue = new KeyedQueue<number>()

  constructor(parts: ShelfParts) {
    this.#parts = parts
    this.writer = new ConsumerWriter(parts.db)
  }

  /** What makes, moves, takes up or deletes consumers of one user is done one after the other. */
  inTurn<T>(userId: number, task: () => Promise<T>): Promise<T> {
    return this.#queue.run(userId, task)
  }

  /** The user has no session any more. */
  close(userId: number) {
    // What still waits for its turn goes by what is here.
    if (!this.#queue.isBusy(userId)) this.#open.delete(userId)
  }

  /** The consumer if it was asked for before. */
  known(userId: number, name: string): Promise<Consumer | undefined> | undefined {
    return this.#open.get(userId)?.get(name)
  }

  /** @throws Refused `no_consumer` */
  async existing(userId: number, name: string): Promise<Consumer> {
    const found = await this.#find(userId, name)
    if (found === undefined) throw noConsumer(name)
    return found
  }

  /** Finds a consumer or makes one at a position. To be called in turn. @throws Refused `too_many` */
  async make(userId: number, name: string, position: number): Promise<{ consumer: Consumer; isNew: boolean }> {
    const found = await this.#find(userId, name)
    if (found !== undefined) return { consumer: found, isNew: false }
    const { db, clock, limits } = this.#parts
    const row = { user_id: userId, name, position, pending: [], moved_at: clock.time() }
    if ((await insertConsumer(db, row, limits.consumers)) === 'too_many')
      throw new Refused('too_many', 'you have too many consumers already; delete_consumer forgets one')
    return { consumer: await this.existing(userId, name), isNew: true }
  }

  /** Deletes a consumer. To be called in turn; whoever asks for it meanwhile finds none. */
  async delete(consumer: Consumer) {
    const { userId, name } = consumer
    consumer.isDeleted = true
    const own = this.#ofUser(userId)
    const deleting = this.writer.delete(userId, name).then(() => undefined)
    own.set(name, deleting)
    try {
      await deleting
    } finally {
      if (own.get(name) === deleting) own.delete(name)
    }
  }

  /** Writes where a consumer is. @throws Refused `no_consumer` */
  async save(consumer: Consumer) {
    if (consumer.isDeleted) throw noConsumer(consumer.name)
    await this.writer.save(consumer.row)
  }

  /** For what nobody waits for: it is written with the next if it fails. */
  saveLater(consumer: Consumer) {
    if (consumer.isDeleted) return
    const { log } = this.#parts
    this.writer
      .save(consumer.row)
      .catch((error: unknown) => log.warn({ err: error }, 'cannot keep where a consumer is'))
  }

  /**
   * Does something to a consumer and writes it with what is kept, all or none.
   * @throws Refused `too_many` beyond the limit on keys, `no_consumer`
   */
  async keep(consumer: Consumer, { key, state, isUrgent }: Kept, change: () => void) {
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
    // Before what is stored is counted: a key is in one of the two at every moment.
    const writing = newKeys.size
    const stored = await countStates(this.#parts.db, userId, name)
    if (stored + writing > this.#parts.limits.consumerKeys)
      throw new Refused('too_many', 'this consumer keeps too much already')
  }

  /**
   * Counted in the database at first and where the limit seems reached: in between it is reckoned, and writes of one key
   * that cross are reckoned twice.
   * @throws Refused `too_many`
   */
  async #checkBytes(consumer: Consumer, growth: number) {
    const { db, limits } = this.#parts
    const isTooMuch = () => (consumer.stateBytes ?? Number.POSITIVE_INFINITY) + growth > limits.consumerBytes
    if (!isTooMuch()) return
    await this.writer.settled()
    consumer.stateBytes = await stateBytesOf(db, consumer.userId, consumer.name)
    if (isTooMuch()) throw new Refused('too_many', 'this consumer keeps too much already')
  }

  #ofUser(userId: number): Map<string, Promise<Consumer | undefined>> {
    const own = this.#open.get(userId) ?? new Map<string, Promise<Consumer | undefined>>()
    this.#open.set(userId, own)
    return own
  }

  #find(userId: number, name: string): Promise<Consumer | undefined> {
    const own = this.#ofUser(userId)
    const known = own.get(name)
    if (known !== undefined) return known
    const loading = this.#load(userId, name)
    own.set(name, loading)
    const forget = () => own.get(name) === loading && own.delete(name)
    loading.then((found) => found ?? forget(), forget)
    return loading
  }

  async #load(userId: number, name: string): Promise<Consumer | undefined> {
    // One that was closed a moment ago may not be written yet.
    await this.writer.settled()
    const row = await findConsumer(this.#parts.db, userId, name)
    return row && new Consumer(row)
  }
}
