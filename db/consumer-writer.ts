import type { Knex } from 'knex'
import {
  type ConsumerRow,
  deleteConsumer,
  findState,
  keyOf,
  type StateRow,
  type StateUsage,
  type StoredConsumer,
  saveConsumers,
  takeConsumer,
  type UsageRow,
} from './consumers.ts'
import { transact } from './transaction.ts'

/** Time in which saves are collected into one commit. Losing them in a crash only redelivers events. */
const BATCH_MS = 10
/** Pause after a failed commit. */
const RETRY_MS = 1000

interface Batch {
  readonly consumers: Map<string, ConsumerRow>
  readonly states: Map<string, StateRow>
  readonly usages: Map<string, UsageRow>
  readonly waiters: Waiter[]
}

interface Waiter {
  /** Key of the consumer; undefined for all. */
  readonly key: string | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Another server has taken the consumer, or it was deleted there: its position was not stored. */
export class ConsumerLost extends Error {
  constructor() {
    super('another server has taken the consumer')
    this.name = 'ConsumerLost'
  }
}

const newBatch = (): Batch => ({ consumers: new Map(), states: new Map(), usages: new Map(), waiters: [] })

const stateKeyOf = (row: Omit<StateRow, 'state'>) => JSON.stringify([row.user_id, row.name, row.state_key])

/** State to store under a key, and the consumer's usage with it. */
export interface StateChange extends StateUsage {
  readonly key: string
  readonly state: string
}

/**
 * Persists cursors of consumers (group commit). Saves within BATCH_MS share one transaction, each cursor together with
 * its state; rows of a failed commit are retried with the next.
 */
export class ConsumerWriter {
  readonly #db: Knex
  readonly #onLost: (userId: number, name: string) => void
  #next = newBatch()
  #committing: Batch | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #closed = false

  /** @param onLost called for a consumer that another server has taken */
  constructor(db: Knex, onLost: (userId: number, name: string) => void) {
    this.#db = db
    this.#onLost = onLost
  }

  /**
   * Resolves when the cursor and the state are on disk. Rejects with ConsumerLost when another server has taken the
   * consumer, and when the commit failed, which is still retried.
   */
  save(consumer: ConsumerRow, change?: StateChange): Promise<void> {
    const key = keyOf(consumer)
    this.#next.consumers.set(key, consumer)
    if (change !== undefined) {
      const { user_id, name } = consumer
      const { key: state_key, state, ...usage } = change
      const row = { user_id, name, state_key, state }
      this.#next.states.set(stateKeyOf(row), row)
      this.#next.usages.set(key, { user_id, name, ...usage })
    }
    this.#startIn(BATCH_MS)
    return new Promise((resolve, reject) => this.#next.waiters.push({ key, resolve, reject }))
  }

  /** Starts the next commit without waiting for BATCH_MS, unless one is running. */
  flush() {
    this.#start()
  }

  /** The state under a key, including saves that are not committed yet; empty if there is none. */
  async state(userId: number, name: string, key: string): Promise<string> {
    const stateKey = stateKeyOf({ user_id: userId, name, state_key: key })
    const unwritten = this.#next.states.get(stateKey) ?? this.#committing?.states.get(stateKey)
    return unwritten?.state ?? findState(this.#db, userId, name, key)
  }

  /** Resolves when all saves so far are on disk. Rejects when they could not be written. */
  async settled() {
    if (this.#running !== undefined) await this.#running
    // The rows of a failed commit are in the next one, which another caller may have started already.
    const batch = this.#committing ?? this.#next
    if (batch.consumers.size === 0) return
    const written = new Promise<void>((resolve, reject) => batch.waiters.push({ key: undefined, resolve, reject }))
    this.#start()
    await written
  }

  /**
   * Takes a consumer for this server, between two commits.
   * @param taken called at once, before anything can be saved; an unsaved cursor of the epoch before counts
   */
  async take(userId: number, name: string, taken: (row: StoredConsumer | undefined) => void) {
    while (this.#running !== undefined) await this.#running
    const taking = takeConsumer(this.#db, userId, name)
    this.#running = taking.then(
      () => {},
      () => {},
    )
    try {
      const row = await taking
      const key = keyOf({ user_id: userId, name })
      const unsaved = this.#next.consumers.get(key)
      if (unsaved === undefined || row === undefined || unsaved.epoch + 1 !== row.epoch) return taken(row)
      const current = { ...unsaved, epoch: row.epoch }
      this.#next.consumers.set(key, current)
      taken({ ...row, ...current, ...this.#next.usages.get(key) })
    } finally {
      this.#ended()
    }
  }

  async delete(userId: number, name: string) {
    await this.settled()
    await deleteConsumer(this.#db, userId, name)
  }

  /** Writes what is left and stops; no call may follow. Rejects when a save could not be written. */
  async close() {
    try {
      await this.settled()
    } finally {
      this.#closed = true
      clearTimeout(this.#timer)
    }
  }

  #startIn(ms: number) {
    if (!this.#closed) this.#timer ??= setTimeout(() => this.#start(), ms)
  }

  #start() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#next.consumers.size === 0) return
    this.#running ??= this.#run()
  }

  async #run() {
    const batch = this.#next
    this.#next = newBatch()
    this.#committing = batch
    try {
      const { consumers, states, usages } = batch
      const changes = { consumers: [...consumers.values()], states: [...states.values()], usages: [...usages.values()] }
      const lost = await transact(this.#db, (trx) => saveConsumers(trx, changes))
      for (const { user_id, name } of changes.consumers)
        if (lost.has(keyOf({ user_id, name }))) this.#onLost(user_id, name)
      for (const { key, resolve, reject } of batch.waiters)
        if (key !== undefined && lost.has(key)) reject(new ConsumerLost())
        else resolve()
    } catch (error) {
      this.#requeue(batch)
      for (const { reject } of batch.waiters) reject(error)
    }
    this.#committing = undefined
    this.#ended()
  }

  #ended() {
    this.#running = undefined
    if (this.#next.consumers.size > 0) this.#startIn(BATCH_MS)
  }

  /** Merges a failed batch into the next one; newer rows win. */
  #requeue(failed: Batch) {
    for (const [key, row] of failed.consumers) if (!this.#next.consumers.has(key)) this.#next.consumers.set(key, row)
    for (const [key, row] of failed.states) if (!this.#next.states.has(key)) this.#next.states.set(key, row)
    for (const [key, row] of failed.usages) if (!this.#next.usages.has(key)) this.#next.usages.set(key, row)
    this.#startIn(RETRY_MS)
  }
}
