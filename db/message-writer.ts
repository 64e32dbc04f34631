import type { Knex } from 'knex'
import type { MessageStore, Outcome, Read, Stored } from './message-store.ts'
import type { NewMessageRow } from './messages.ts'
import { isMysql } from './migrations/tables.ts'
import { MysqlMessages } from './mysql-messages.ts'
import { SqliteMessages } from './sqlite-messages.ts'
import { isUnavailable } from './transaction.ts'

interface Job<T, R> {
  readonly work: T
  resolve(result: R): void
  reject(error: unknown): void
}

/** How long a read position may wait for a message to go with, when nobody waits for it. */
const LATER_MS = 50
/** How long nothing must be asked for before rows are brought into line with read positions. */
const QUIET_MS = 1000

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
  #reads = new Map<string, Job<Read, boolean>[]>()
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

  /** Stores a message; resolves after COMMIT. A client id that this sender has used gives the first message again. */
  store(work: NewMessageRow): Promise<Stored> {
    return new Promise((resolve, reject) => {
      this.#messages.push({ work, resolve, reject })
      this.#start()
    })
  }

  /**
   * Marks messages as read up to an id; resolves after COMMIT with whether any was not yet.
   * @param isWaitedFor false lets it go with the next message, for a while
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
    if (this.#reads.size === 0) return this.#committing
    this.#start()
    return new Promise((resolve) => this.#afterReads.push(resolve))
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

  /** Resolves when all that was asked for is on disk. The last thing that is asked. */
  async close() {
    this.#closed = true
    if (this.#hasWork) this.#start()
    for (let busy = this.#turn ?? this.#running; busy !== undefined; busy = this.#turn ?? this.#running) await busy
    clearTimeout(this.#quiet)
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
    return this.#messages.length > 0 || this.#reads.size > 0
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

  async #commit() {
    const messages =
      this.#messages.length <= this.#store.batch ? this.#messages : this.#messages.slice(0, this.#store.batch)
    this.#messages = this.#messages.slice(messages.length)
    const reads = [...this.#reads.values()]
    this.#reads = new Map()
    const afterReads = this.#afterReads
    this.#afterReads = []
    clearTimeout(this.#later)
    this.#later = undefined
    try {
      const committed = await this.#store.commit(
        messages.map(({ work }) => work),
        reads.map(furthest),
      )
      for (const [index, job] of messages.entries()) settle(job, committed.messages[index] as Outcome<Stored>)
      for (const [index, jobs] of reads.entries()) settleReads(jobs, committed.reads[index] as Outcome<boolean>)
      this.#newest = committed.messages.reduce(
        (newest, outcome) => ('done' in outcome ? Math.max(newest, outcome.done.row.id) : newest),
        this.#newest,
      )
    } catch (error) {
      // What has come meanwhile would wait as long again for the same answer.
      const waiting = isUnavailable(error) ? [...this.#messages.splice(0), ...[...this.#reads.values()].flat()] : []
      if (waiting.length > 0) {
        this.#reads.clear()
        afterReads.push(...this.#afterReads.splice(0))
      }
      for (const job of [...messages, ...reads.flat(), ...waiting]) job.reject(error)
    }
    for (const done of afterReads) done()
  }
}

function settle<R>(job: Job<unknown, R>, outcome: Outcome<R>) {
  if ('error' in outcome) job.reject(outcome.error)
  else job.resolve(outcome.done)
}

/** Of several positions in one conversation the furthest was taken, and only the first to name it has moved anything. */
function settleReads(jobs: readonly Job<Read, boolean>[], outcome: Outcome<boolean>) {
  const moved = jobs.find(({ work }) => work.upTo === furthest(jobs).upTo)
  for (const job of jobs) settle(job, 'error' in outcome || job === moved ? outcome : { done: false })
}

const furthest = (jobs: readonly Job<Read, boolean>[]): Read =>
  jobs.reduce((far, { work }) => (work.upTo > far.upTo ? work : far), (jobs[0] as Job<Read, boolean>).work)
