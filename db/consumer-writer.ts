import type { Knex } from 'knex'
import { type ConsumerRow, deleteConsumer, findState, type StateRow, saveConsumers } from './consumers.ts'
import { transact } from './transaction.ts'

/** How long what was asked for waits for more of it: losing so much to a crash only brings events again. */
const TOGETHER_MS = 10
/** After a commit that failed. */
const RETRY_MS = 1000

interface Batch {
  readonly consumers: Map<string, ConsumerRow>
  readonly states: Map<string, StateRow>
  readonly waiting: { resolve(): void; reject(error: unknown): void }[]
}

const newBatch = (): Batch => ({ consumers: new Map(), states: new Map(), waiting: [] })

const keyOf = ({ user_id, name }: Pick<ConsumerRow, 'user_id' | 'name'>) => `${user_id} ${name}`
const stateKeyOf = (row: Omit<StateRow, 'state'>) => JSON.stringify([row.user_id, row.name, row.state_key])

/**
 * Keeps where consumers are. What comes within a moment goes into one transaction, a consumer's position together with
 * the state that belongs to it; what could not be written is written with the next.
 */
export class ConsumerWriter {
  readonly #db: Knex
  #next = newBatch()
  #committing: Batch | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(db: Knex) {
    this.#db = db
  }

  /** Resolves when both are on disk. */
  save(consumer: ConsumerRow, state?: StateRow): Promise<void> {
    this.#next.consumers.set(keyOf(consumer), consumer)
    if (state !== undefined) this.#next.states.set(stateKeyOf(state), state)
    this.#startIn(TOGETHER_MS)
    return new Promise((resolve, reject) => this.#next.waiting.push({ resolve, reject }))
  }

  /** Writes what was saved so far without waiting for more. */
  flush() {
    this.#start()
  }

  /** What is kept under a key, also what is still to be written; empty if there is nothing. */
  async state(userId: number, name: string, key: string): Promise<string> {
    const wanted = stateKeyOf({ user_id: userId, name, state_key: key })
    const written = this.#next.states.get(wanted) ?? this.#committing?.states.get(wanted)
    return written?.state ?? findState(this.#db, userId, name, key)
  }

  /** Resolves when all that was asked for until now is on disk. */
  async settled() {
    if (this.#running !== undefined) await this.#running
    if (this.#next.consumers.size === 0) return
    const written = new Promise<void>((resolve, reject) => this.#next.waiting.push({ resolve, reject }))
    this.#start()
    await written
  }

  async delete(userId: number, name: string) {
    await this.settled()
    await transact(this.#db, (trx) => deleteConsumer(trx, userId, name))
  }

  /** The last thing that is asked. Rejects when what was left could not be written. */
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
      await transact(this.#db, (trx) => saveConsumers(trx, [...batch.consumers.values()], [...batch.states.values()]))
      for (const { resolve } of batch.waiting) resolve()
    } catch (error) {
      this.#keep(batch)
      for (const { reject } of batch.waiting) reject(error)
    }
    this.#committing = undefined
    this.#running = undefined
    if (this.#next.consumers.size > 0) this.#startIn(TOGETHER_MS)
  }

  /** What could not be written is still to be, unless there is newer already. */
  #keep(failed: Batch) {
    for (const [key, row] of failed.consumers) if (!this.#next.consumers.has(key)) this.#next.consumers.set(key, row)
    for (const [key, row] of failed.states) if (!this.#next.states.has(key)) this.#next.states.set(key, row)
    this.#startIn(RETRY_MS)
  }
}
