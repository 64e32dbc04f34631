import type { Knex } from 'knex'
import { type MessageRow, markRead, type NewMessageRow } from './messages.ts'

/** A stored message: `repeat` when the sender had stored it before, with what it stored then. */
export interface Stored {
  readonly row: MessageRow
  readonly repeat: boolean
}

interface Read {
  readonly readerId: number
  readonly senderId: number
  readonly upTo: number
}

interface Job<T, R> {
  readonly work: T
  resolve(result: R): void
  reject(error: unknown): void
}

/** Rows in one transaction at most: bounds how long others wait for the database. */
const BATCH = 500

/**
 * The one writer of messages. Whatever is asked for while a commit runs goes into the next one together, so the cost of
 * a flush is shared under load, and nothing waits for a timer when there is none.
 */
export class MessageWriter {
  readonly #db: Knex
  #messages: Job<NewMessageRow, Stored>[] = []
  #reads: Job<Read, void>[] = []
  #running: Promise<void> | undefined

  constructor(db: Knex) {
    this.#db = db
  }

  /** Stores a message; resolves after COMMIT. A client id that this sender has used gives the first message again. */
  store(work: NewMessageRow): Promise<Stored> {
    return new Promise((resolve, reject) => {
      this.#messages.push({ work, resolve, reject })
      this.#start()
    })
  }

  /** Marks messages as read up to an id; resolves after COMMIT. */
  markRead(work: Read): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reads.push({ work, resolve, reject })
      this.#start()
    })
  }

  /** Resolves when all that was asked for is on disk. */
  async idle() {
    while (this.#running !== undefined) await this.#running
  }

  #start() {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run() {
    // The rest of this event-loop turn joins the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#messages.length > 0 || this.#reads.length > 0) {
      await this.#commit(this.#messages.splice(0, BATCH), this.#reads.splice(0, BATCH))
    }
  }

  async #commit(messages: Job<NewMessageRow, Stored>[], reads: Job<Read, void>[]) {
    try {
      const stored = await this.#db.transaction(async (trx) => {
        for (const { readerId, senderId, upTo } of furthest(reads)) await markRead(trx, readerId, senderId, upTo)
        return messages.length === 0 ? [] : insert(trx, messages)
      })
      messages.forEach((job, index) => {
        job.resolve(stored[index] as Stored)
      })
      for (const job of reads) job.resolve()
    } catch (error) {
      if (messages.length + reads.length > 1) return this.#commitSingly(messages, reads)
      for (const job of [...messages, ...reads]) job.reject(error)
    }
  }

  /** One bad row must not fail its neighbours. */
  async #commitSingly(messages: Job<NewMessageRow, Stored>[], reads: Job<Read, void>[]) {
    for (const job of messages) await this.#commit([job], [])
    for (const job of reads) await this.#commit([], [job])
  }
}

/** Only the furthest position of each conversation matters. */
function furthest(reads: readonly Job<Read, void>[]): Iterable<Read> {
  const byConversation = new Map<string, Read>()
  for (const { work } of reads) {
    const key = `${work.readerId} ${work.senderId}`
    if (work.upTo > (byConversation.get(key)?.upTo ?? -1)) byConversation.set(key, work)
  }
  return byConversation.values()
}

async function insert(trx: Knex, messages: readonly Job<NewMessageRow, Stored>[]): Promise<Stored[]> {
  const [last] = await trx('chatmsg').max({ id: 'id' })
  const lastId = Number(last?.id ?? 0)
  const rows = messages.map(({ work }) => ({ ...work, isRead: 1, isActive: 1 }))
  await trx('chatmsg').insert(rows).onConflict(['user_id', 'client_id']).ignore()
  const pairs = messages.map(({ work }) => [work.user_id, work.client_id])
  const found = await trx<MessageRow>('chatmsg').whereIn(['user_id', 'client_id'], pairs)
  const byPair = new Map(found.map((row) => [`${row.user_id} ${row.client_id}`, row]))
  const claimed = new Set<number>()
  return messages.map(({ work }) => {
    const row = byPair.get(`${work.user_id} ${work.client_id}`)
    if (row === undefined) throw new Error('a stored message was not found')
    // The same client id twice in one batch: the second is a repeat too.
    const repeat = row.id <= lastId || claimed.has(row.id)
    claimed.add(row.id)
    return { row, repeat }
  })
}
