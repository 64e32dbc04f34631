import type { Knex } from 'knex'
import { type MessageRow, MSG_TYPE, markRead, type NewMessageRow } from './messages.ts'
import { transact } from './transaction.ts'

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

/** Rows in one transaction at most: bounds how long others wait, and stays below SQLite's 500 terms in one VALUES. */
const BATCH = 400

/**
 * The one writer of messages. Whatever is asked for while a commit runs goes into the next one together, so the cost of
 * a flush is shared under load, and nothing waits for a timer when there is none.
 */
export class MessageWriter {
  readonly #db: Knex
  #messages: Job<NewMessageRow, Stored>[] = []
  #reads: Job<Read, number>[] = []
  #running: Promise<void> | undefined
  #committing = Promise.resolve()

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

  /** Marks messages as read up to an id; resolves after COMMIT with how many were not yet. */
  markRead(work: Read): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#reads.push({ work, resolve, reject })
      this.#start()
    })
  }

  /** Resolves when the messages asked for so far have been stored, or could not be. */
  settled(): Promise<void> {
    const last = this.#messages.at(-1)
    if (last === undefined) return this.#committing
    return new Promise((done) => {
      const { resolve, reject } = last
      last.resolve = (stored) => {
        resolve(stored)
        done()
      }
      last.reject = (error) => {
        reject(error)
        done()
      }
    })
  }

  /** Resolves when all that was asked for is on disk. */
  async idle() {
    while (this.#running !== undefined) await this.#running
  }

  #start() {
    this.#running ??= this.#run()
  }

  async #run() {
    // The rest of this event-loop turn joins the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#messages.length > 0 || this.#reads.length > 0) {
      this.#committing = this.#commit(this.#messages.splice(0, BATCH), this.#reads.splice(0, BATCH))
      await this.#committing
    }
    // In the same turn as the last look at the queues: what is asked for after this starts anew.
    this.#running = undefined
  }

  async #commit(messages: Job<NewMessageRow, Stored>[], reads: Job<Read, number>[]) {
    try {
      const read = new Map<string, number>()
      // Of the first try: one whose commit was made and its answer lost must not look like somebody else's.
      let earlier: ReadonlySet<string> | undefined
      const stored = await transact(this.#db, async (trx) => {
        for (const [key, { readerId, senderId, upTo }] of furthest(reads))
          read.set(key, Math.max(read.get(key) ?? 0, await markRead(trx, readerId, senderId, upTo)))
        if (messages.length === 0) return []
        const found = await findEarlier(trx, messages)
        earlier ??= found
        return insert(trx, messages, { found, earlier })
      })
      messages.forEach((job, index) => {
        job.resolve(stored[index] as Stored)
      })
      for (const job of reads) job.resolve(read.get(conversationOf(job.work)) ?? 0)
    } catch (error) {
      if (messages.length + reads.length > 1 && isConstraint(error)) return this.#commitSingly(messages, reads)
      for (const job of [...messages, ...reads]) job.reject(error)
    }
  }

  /** One bad row must not fail its neighbours. */
  async #commitSingly(messages: Job<NewMessageRow, Stored>[], reads: Job<Read, number>[]) {
    for (const job of messages) await this.#commit([job], [])
    for (const job of reads) await this.#commit([], [job])
  }
}

/** A row was at fault, not the database: the others may still be stored. */
const isConstraint = (error: unknown) =>
  /^(SQLITE_CONSTRAINT|ER_(DUP|DATA|TRUNCATED|BAD_NULL|NO_REFERENCED))/.test(String((error as { code?: unknown }).code))

const conversationOf = ({ readerId, senderId }: Read) => `${readerId} ${senderId}`

/** Only the furthest position of each conversation matters. */
function furthest(reads: readonly Job<Read, number>[]): ReadonlyMap<string, Read> {
  const byConversation = new Map<string, Read>()
  for (const { work } of reads) {
    const key = conversationOf(work)
    if (work.upTo > (byConversation.get(key)?.upTo ?? -1)) byConversation.set(key, work)
  }
  return byConversation
}

const keyOf = ({ user_id, client_id }: Pick<NewMessageRow, 'user_id' | 'client_id'>) => `${user_id} ${client_id}`

const findStored = (trx: Knex, messages: readonly Job<NewMessageRow, Stored>[]): Promise<MessageRow[]> =>
  trx<MessageRow>('chatmsg').whereIn(
    ['user_id', 'client_id'],
    messages.map(({ work }) => [work.user_id, work.client_id]),
  )

/** Which of these were stored before. */
const findEarlier = async (trx: Knex, messages: readonly Job<NewMessageRow, Stored>[]): Promise<ReadonlySet<string>> =>
  new Set((await findStored(trx, messages)).map(keyOf))

/**
 * @param found what is in the database now
 * @param earlier what was there before this was tried for the first time
 */
async function insert(
  trx: Knex,
  messages: readonly Job<NewMessageRow, Stored>[],
  { found, earlier }: { found: ReadonlySet<string>; earlier: ReadonlySet<string> },
): Promise<Stored[]> {
  // The same client id twice in one batch: only the first is new.
  const fresh = new Map<string, NewMessageRow>()
  for (const { work } of messages)
    if (!earlier.has(keyOf(work)) && !fresh.has(keyOf(work))) fresh.set(keyOf(work), work)
  const missing = [...fresh].flatMap(([key, work]) => (found.has(key) ? [] : [work]))
  if (missing.length > 0) {
    const rows = await numbered(trx, missing)
    // Not `ignore`: that would have MySQL cut what does not fit, and say nothing.
    await trx('chatmsg').insert(rows).onConflict(['user_id', 'client_id']).merge(['client_id'])
  }
  const stored = new Map((await findStored(trx, messages)).map((row) => [keyOf(row), row]))
  return messages.map(({ work }) => {
    const key = keyOf(work)
    const row = stored.get(key)
    if (row === undefined) throw new Error('a stored message was not found')
    return { row, repeat: !fresh.delete(key) }
  })
}

/** Gives group messages their place in the group's sequence, inside the commit. */
async function numbered(trx: Knex, rows: readonly NewMessageRow[]) {
  const groups = new Set(rows.filter(({ msg_type }) => msg_type === MSG_TYPE.group).map(({ target_id }) => target_id))
  const last = new Map<number, number>()
  for (const id of groups) {
    const [group] = await trx('chatroom').where({ id }).select('last_seq').forUpdate()
    last.set(id, Number(group?.last_seq ?? 0))
  }
  const withSequence = rows.map((row) => {
    if (row.msg_type !== MSG_TYPE.group) return { ...row, seq: null, isRead: 1, isActive: 1 }
    const seq = (last.get(row.target_id) ?? 0) + 1
    last.set(row.target_id, seq)
    // Who has read it is in the members' positions.
    return { ...row, seq, isRead: 0, isActive: 1 }
  })
  for (const [id, last_seq] of last) await trx('chatroom').where({ id }).update({ last_seq })
  return withSequence
}
