import type { Knex } from 'knex'
import type { NewMessageRow } from './message-columns.ts'
import {
  addFound,
  InDoubt,
  type MessageStore,
  type Outcome,
  type Outcomes,
  type Read,
  type Stored,
} from './message-store.ts'
import { isMysql } from './migrations/tables.ts'
import { MysqlMessages } from './mysql-messages.ts'
import { SqliteMessages } from './sqlite-messages.ts'
import { isUnavailable } from './transaction.ts'
import { type Doubt, doubtOf, endOf, furthest, type Job, lateOf, type ReadJob, settleReads } from './writer-jobs.ts'

/** How long a read position may wait for a message to go with, when nobody waits for it. */
const LATER_MS = 50
/** How long nothing must be asked for before rows are brought into line with read positions. */
const QUIET_MS = 1000
/** Pause before the database is asked again for what it has failed to do. */
const RETRY_MS = 250
/** Conversations whose read positions are kept while the database refuses them; beyond it the reader asks again. */
const LATE_READS = 50_000

/**
 * The one writer of messages. Whatever is asked for in one turn of the event loop, or while a commit runs, goes into the
 * next commit together: so the cost of a flush is shared under load, and nothing waits for a timer when there is none.
 * A turn that brings more than a flush is worth is stored in several commits: what waits costs memory and caches.
 */
export class MessageWriter {
  readonly #store: MessageStore
  readonly #onError: (error: unknown) => void
  #closed = false
  #newest: number
  /** Who waits for the read positions that wait. */
  #afterReads: (() => void)[] = []
  #messages: Job<NewMessageRow, Stored>[] = []
  /** By reader and conversation: only the furthest position matters. */
  #reads = new Map<string, ReadJob[]>()
  /** Messages of commits whose outcome is unknown. Later messages are not stored before it is known [D-11]. */
  #doubts: Doubt[] = []
  /** Positions that the database has refused, by reader and conversation. */
  #late = new Map<string, ReadJob>()
  #retry: NodeJS.Timeout | undefined
  /** The database is to be asked again for what it has failed to do. */
  #isRetryDue = false
  #running: Promise<void> | undefined
  /** Set until this event-loop turn has brought all it brings. */
  #turn: Promise<void> | undefined
  /** Set while read positions wait that nobody waits for. */
  #later: NodeJS.Timeout | undefined
  /** Set while nothing is asked for, and some rows may be out of line. */
  #quiet: NodeJS.Timeout | undefined
  #committing = Promise.resolve()

  private constructor(db: Knex, newest: number, onError: (error: unknown) => void) {
    this.#store = isMysql(db) ? new MysqlMessages(db) : new SqliteMessages(db)
    this.#newest = newest
    this.#onError = onError
  }

  /** @param onError told when rows could not be brought into line with read positions; it is tried again */
  static async open(db: Knex, onError: (error: unknown) => void): Promise<MessageWriter> {
    const [row] = await db('chatmsg').max({ newest: 'id' })
    return new MessageWriter(db, Number(row?.newest ?? 0), onError)
  }

  /**
   * Stores a message; resolves after COMMIT. A client id that this sender has used gives the first message again.
   * @throws OutcomePending when the database failed while it committed
   * @throws what the database throws, when the message is certainly not stored
   */
  store(work: NewMessageRow): Promise<Stored> {
    return new Promise((resolve, reject) => {
      this.#messages.push({ work, resolve, reject })
      this.#start()
    })
  }

  /**
   * Marks messages as read up to an id; resolves after COMMIT with whether any was not yet.
   * @param isWaitedFor false lets it go with the next message, for a while
   * @throws OutcomePending while the database is not available: it is marked when it is again
   */
  markRead(work: Read, { isWaitedFor }: { isWaitedFor: boolean }): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const key = `${work.readerId} ${work.isGroup} ${work.fromId}`
      const waiting = this.#reads.get(key)
      if (waiting === undefined) this.#reads.set(key, [{ work, resolve, reject }])
      else waiting.push({ work, resolve, reject })
      if (isWaitedFor) this.#start()
      else this.#later ??= setTimeout(() => this.#startLate(), LATER_MS)
    })
  }

  /** The highest id of a message that is stored and whose sender was told so, or is just being told. */
  get newest(): number {
    return this.#newest
  }

  /** Resolves when the read positions asked for so far are on disk, or could not be. */
  readsSettled(): Promise<void> {
    if (this.#reads.size + this.#late.size === 0) return this.#committing
    this.#isRetryDue ||= this.#late.size > 0
    this.#start()
    return new Promise((resolve) => this.#afterReads.push(resolve))
  }

  /** Resolves when the messages asked for so far have been stored, or certainly were not. */
  async settled(): Promise<void> {
    const last = this.#messages.at(-1)
    const stored = last === undefined ? this.#committing : endOf(last)
    await stored
    if (this.#doubts.length === 0) return
    this.#retryNow()
    await Promise.allSettled(this.#doubts.map(({ outcome }) => outcome))
  }

  /** Resolves when all that was asked for is on disk. The last thing that is asked. */
  async close() {
    this.#closed = true
    if (this.#doubts.length + this.#late.size > 0) this.#retryNow()
    if (this.#hasWork) this.#start()
    for (let busy = this.#turn ?? this.#running; busy !== undefined; busy = this.#turn ?? this.#running) await busy
    clearTimeout(this.#quiet)
    clearTimeout(this.#retry)
    for (const { reject } of this.#doubts.splice(0))
      reject(new Error('the server stopped before the outcome was known'))
  }

  #startLate() {
    this.#later = undefined
    this.#start()
  }

  #start() {
    if (this.#running !== undefined) return
    if (this.#messages.length >= this.#store.worthwhile) this.#running = this.#run()
    else this.#turn ??= this.#afterTurn()
  }

  async #afterTurn() {
    await new Promise((resolve) => setImmediate(resolve))
    this.#turn = undefined
    if (this.#hasWork) this.#running ??= this.#run()
  }

  get #hasWork(): boolean {
    return this.#messages.length > 0 || this.#reads.size > 0 || this.#isRetryDue
  }

  /** Begun only with work: it would else be over before it is noted down as running. */
  async #run() {
    while (this.#hasWork) {
      this.#committing = this.#commit()
      await this.#committing
    }
    // In the same turn as the last look at the queues: what is asked for after this starts anew.
    this.#running = undefined
    this.#waitForQuiet()
  }

  #waitForQuiet() {
    clearTimeout(this.#quiet)
    if (this.#closed) return
    this.#quiet = setTimeout(() => {
      this.#running ??= this.#mark()
    }, QUIET_MS).unref()
  }

  /** A little at a time: what is asked for meanwhile waits for one step of it only. */
  async #mark() {
    let isMore = false
    try {
      isMore = await this.#store.mark()
    } catch (error) {
      this.#onError(error)
    }
    this.#running = undefined
    if (this.#hasWork) this.#start()
    else if (isMore && !this.#closed) this.#running = this.#mark()
  }

  #retryNow() {
    this.#isRetryDue = true
    this.#start()
  }

  async #commit() {
    const messages =
      this.#messages.length <= this.#store.batch ? this.#messages : this.#messages.slice(0, this.#store.batch)
    this.#messages = this.#messages.slice(messages.length)
    const reads = this.#takeReads()
    const afterReads = this.#afterReads
    this.#afterReads = []
    clearTimeout(this.#later)
    this.#later = undefined
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#isRetryDue = false
    let failure: unknown
    try {
      await this.#settleDoubts()
      await this.#storeAll(messages, reads)
      failure = this.#doubts[0]?.cause
    } catch (error) {
      failure = error
      for (const job of messages) job.reject(error)
      this.#refuseReads(reads, error)
    }
    // What has come meanwhile would wait as long again for the same answer.
    if (this.#doubts.length > 0 || isUnavailable(failure)) {
      for (const job of this.#messages.splice(0)) job.reject(failure)
      this.#refuseReads(this.#takeReads(), failure)
      afterReads.push(...this.#afterReads.splice(0))
    }
    for (const done of afterReads) done()
    if (this.#doubts.length + this.#late.size > 0 && !this.#closed)
      this.#retry ??= setTimeout(() => this.#retryNow(), RETRY_MS).unref()
  }

  async #storeAll(messages: readonly Job<NewMessageRow, Stored>[], reads: ReadonlyMap<string, ReadJob[]>) {
    if (messages.length + reads.size === 0) return
    const committed = await this.#store.commit(
      messages.map(({ work }) => work),
      [...reads.values()].map((jobs) => furthest(jobs).work),
      this.#newest,
    )
    this.#note(committed.messages)
    for (const [index, job] of messages.entries()) this.#settle(job, committed.messages[index] as Outcome<Stored>)
    for (const [index, [key, jobs]] of [...reads].entries()) {
      const outcome = committed.reads[index] as Outcome<boolean>
      if ('error' in outcome) this.#refuseReads([[key, jobs]], outcome.error)
      else settleReads(jobs, outcome.done)
    }
  }

  #note(outcomes: Iterable<Outcome<Stored>>) {
    for (const outcome of outcomes) if ('done' in outcome) this.#newest = Math.max(this.#newest, outcome.done.id)
  }

  #settle(job: Job<NewMessageRow, Stored>, outcome: Outcome<Stored>) {
    if ('done' in outcome) return job.resolve(outcome.done)
    const { error } = outcome
    if (!(error instanceof InDoubt)) return job.reject(error)
    this.#doubts.push(doubtOf(job, error))
  }

  /** @throws what the database throws: they stay in doubt */
  async #settleDoubts() {
    if (this.#doubts.length === 0) return
    const rows = this.#doubts.map(({ work }) => work)
    const outcomes: Outcomes = new Map()
    addFound(outcomes, rows, await this.#store.find(rows), this.#newest)
    this.#note(outcomes.values())
    for (const { work, resolve } of this.#doubts.splice(0)) {
      const outcome = outcomes.get(work)
      resolve(outcome !== undefined && 'done' in outcome ? outcome.done : undefined)
    }
  }

  /** All positions that wait, those that were refused included. */
  #takeReads(): Map<string, ReadJob[]> {
    const reads = this.#reads
    this.#reads = new Map()
    for (const [key, late] of this.#late) reads.set(key, [late, ...(reads.get(key) ?? [])])
    this.#late = new Map()
    return reads
  }

  /** Their readers are told; the furthest position of a conversation is kept for when the database is back. */
  #refuseReads(reads: Iterable<readonly [string, readonly ReadJob[]]>, error: unknown) {
    for (const [key, jobs] of reads) {
      const last = furthest(jobs)
      const isKept = isUnavailable(error) && !this.#closed && this.#late.size < LATE_READS
      for (const job of jobs) {
        if (job === last && isKept) this.#late.set(key, job.isLate ? job : lateOf(job, error))
        else job.reject(error)
      }
    }
  }
}
