import type { Knex } from 'knex'
import { CommitTiming, type OnCommit } from './commit-timing.ts'
import { headOf, raiseHead } from './log.ts'
import type { NewMessageRow } from './message-columns.ts'
import { InDoubt, type MessageStore, type Outcome, type Read, type Stored } from './message-store.ts'
import { isMysql } from './migrations/tables.ts'
import { MysqlMessages } from './mysql-messages.ts'
import { ReadQueue } from './read-queue.ts'
import { SqliteMessages } from './sqlite-messages.ts'
import { isUnavailable } from './transaction.ts'
import {
  type Doubt,
  doubtOf,
  endOf,
  furthest,
  isAnyOf,
  type MessageJob,
  messageJob,
  type ReadJob,
  settleDoubts,
  settleReads,
} from './writer-jobs.ts'
import { LogTooOld, OwnLog, type WriterLog } from './writer-log.ts'

/** How long a read position without a waiting caller may wait for a message to share a commit with. */
const READ_DELAY_MS = 50
/** Idle time before the backfill of `isRead` runs. */
const IDLE_MS = 1000
/** Pause before the retry of a failed commit. */
const RETRY_MS = 250

/**
 * The only writer of messages of a server, with group commit: all work of one event-loop turn, or of the time of a commit,
 * shares the next commit. So the cost of a flush is shared under load, and nothing waits for a timer without load. A turn
 * with more work than the commit threshold takes several commits, because queued work costs memory and caches.
 */
export class MessageWriter {
  readonly #store: MessageStore
  readonly #onError: (error: unknown) => void
  readonly #timing: CommitTiming
  readonly #log: WriterLog
  #closed = false
  /** Callers that wait for the queued read positions. */
  #afterReads: (() => void)[] = []
  #messages: MessageJob[] = []
  readonly #reads = new ReadQueue()
  /** Time from which read positions alone may be committed, milliseconds of `performance.now`. */
  #readsDue = 0
  /** Messages of commits whose outcome is unknown. Later messages are not stored before it is known [D-11]. */
  #doubts: Doubt[] = []
  #retry: NodeJS.Timeout | undefined
  /** True if doubts and late positions are to be retried now. */
  #isRetryDue = false
  #running: Promise<void> | undefined
  /** Set until the end of this event-loop turn. */
  #turn: Promise<void> | undefined
  /** Set while queued read positions wait for a message, or for their time. */
  #later: NodeJS.Timeout | undefined
  /** Time for which it is set. */
  #laterAt = 0
  /** Set while the writer is idle and a backfill may be needed. */
  #idle: NodeJS.Timeout | undefined
  #committing = Promise.resolve()
  /** Messages of the last commit. */
  #batch: readonly MessageJob[] = []

  private constructor(db: Knex, log: WriterLog, onError: (error: unknown) => void, onCommit: OnCommit) {
    this.#store = isMysql(db) ? new MysqlMessages(db) : new SqliteMessages(db)
    this.#log = log
    this.#onError = onError
    this.#timing = new CommitTiming(onCommit)
  }

  /**
   * @param onError called when a backfill fails; it is retried
   * @param log left out by the only server of a database
   */
  static async open(db: Knex, onError: (error: unknown) => void, onCommit: OnCommit = () => {}, log?: WriterLog) {
    await raiseHead(db)
    return new MessageWriter(db, log ?? new OwnLog(await headOf(db)), onError, onCommit)
  }

  /**
   * Stores a message; resolves after COMMIT [D-1]. For a client id that the sender has used it gives the first row [D-2].
   * @throws OutcomePending if the database failed during the commit
   * @throws the error of the database if the message is certainly not stored
   */
  store(work: NewMessageRow): Promise<Stored> {
    return new Promise((done, reject) => this.enqueue(messageJob(work, done, reject)))
  }

  /** The same for a caller that has its own job, whose methods must not throw: spares a promise for each message. */
  enqueue(job: MessageJob) {
    if (this.#messages.length === 0) this.#timing.queued()
    this.#messages.push(job)
    this.#start()
  }

  /**
   * Moves a read position; resolves after COMMIT with whether it moved.
   * @param isWaitedFor false delays it a little, to share the commit of a message
   * @throws OutcomePending while the database is not available; it is retried
   */
  markRead(work: Read, { isWaitedFor }: { isWaitedFor: boolean }): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#reads.add({ work, resolve, reject })
      const wait = isWaitedFor ? this.#readsDue - performance.now() : READ_DELAY_MS
      if (wait <= 0) this.#start()
      else this.#startLater(wait)
    })
  }

  /** Messages that wait for a commit. */
  get queued(): number {
    return this.#messages.length
  }

  /** The highest id of a message whose outcome was reported to its caller, or is about to be in this turn [D-6]. */
  get horizon(): number {
    return this.#log.seen
  }

  /** Resolves when no commit in progress has one of these rows: when its outcomes were reported, or at once. */
  committed(rows: readonly Pick<NewMessageRow, 'client_id'>[]): Promise<void> | undefined {
    return isAnyOf(this.#batch, rows) ? this.#committing : undefined
  }

  /**
   * Resolves when the read positions queued so far are stored, or have failed.
   * @param above only those that reach beyond this id
   */
  readsSettled(above = 0): Promise<void> {
    if (!this.#reads.reaches(above)) return this.#committing
    this.#isRetryDue ||= this.#reads.lateSize > 0
    this.#start()
    return new Promise((resolve) => this.#afterReads.push(resolve))
  }

  /** Resolves when the messages queued so far are stored, or certainly are not. */
  async settled(): Promise<void> {
    const last = this.#messages.at(-1)
    const stored = last === undefined ? this.#committing : endOf(last)
    await stored
    if (this.#doubts.length === 0) return
    this.#retryNow()
    await Promise.allSettled(this.#doubts.map(({ outcome }) => outcome))
  }

  /** Resolves when all queued work is stored. No work may be queued after it. */
  async close() {
    this.#closed = true
    if (this.#doubts.length + this.#reads.lateSize > 0) this.#retryNow()
    if (this.#hasWork) this.#start()
    for (let busy = this.#turn ?? this.#running; busy !== undefined; busy = this.#turn ?? this.#running) await busy
    clearTimeout(this.#idle)
    clearTimeout(this.#retry)
    for (const { reject } of this.#doubts.splice(0))
      reject(new Error('the server stopped before the outcome was known'))
  }

  #startLater(wait: number) {
    const at = performance.now() + wait
    if (this.#later !== undefined && this.#laterAt <= at) return
    clearTimeout(this.#later)
    this.#laterAt = at
    this.#later = setTimeout(() => {
      this.#later = undefined
      this.#start()
    }, wait)
  }

  #start() {
    if (this.#running !== undefined) return
    if (this.#messages.length >= this.#store.commitThreshold) this.#running = this.#run()
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

  /** To be called only if there is work: otherwise it ends before `#running` is set. */
  async #run() {
    while (this.#hasWork) {
      // Not in the commit, which the log may wait for.
      if (this.#log.isBehind) await this.#log.catchUp()
      this.#committing = this.#commit()
      await this.#committing
    }
    // In the same turn as the last check of the queues: later work starts a new run.
    this.#running = undefined
    this.#waitForIdle()
  }

  #waitForIdle() {
    clearTimeout(this.#idle)
    if (this.#closed) return
    this.#idle = setTimeout(() => {
      this.#running ??= this.#mark()
    }, IDLE_MS).unref()
  }

  /** One step at a time: new work waits for one step only. */
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
    const messages = this.#messages.splice(0, this.#store.batch)
    this.#batch = messages
    const reads = this.#reads.take()
    const afterReads = this.#afterReads
    this.#afterReads = []
    clearTimeout(this.#later)
    this.#later = undefined
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#isRetryDue = false
    let failure: unknown
    try {
      if (this.#log.isBehind) throw new LogTooOld()
      await settleDoubts(this.#store, this.#doubts, this.#log.knownUpTo, (id) => this.#log.reported(id))
      await this.#storeAll(messages, reads)
      failure = this.#doubts[0]?.cause
    } catch (error) {
      failure = error
      for (const job of messages) job.reject(error)
      this.#refuseReads(reads, error)
    }
    // Work queued meanwhile would wait as long for the same error.
    if (this.#doubts.length > 0 || isUnavailable(failure)) {
      for (const job of this.#messages.splice(0)) job.reject(failure)
      this.#refuseReads(this.#reads.take(), failure)
      afterReads.push(...this.#afterReads.splice(0))
    }
    for (const done of afterReads) done()
    if (this.#doubts.length + this.#reads.lateSize > 0 && !this.#closed)
      this.#retry ??= setTimeout(() => this.#retryNow(), RETRY_MS).unref()
  }

  async #storeAll(messages: readonly MessageJob[], reads: ReadonlyMap<string, ReadJob[]>) {
    if (messages.length + reads.size === 0) return
    const timing = this.#timing.begin(messages.length)
    const began = performance.now()
    const committed = await this.#store.commit(
      messages.map(({ work }) => work),
      [...reads.values()].map((jobs) => furthest(jobs).work),
      this.#log.knownUpTo,
    )
    const finished = timing.committed()
    const ended = performance.now()
    this.#readsDue = ended + (ended - began) * this.#store.readPause
    for (const [index, job] of messages.entries()) {
      const pause = this.#settle(job, committed.messages[index] as Outcome<Stored>)
      if (pause !== undefined) await pause
    }
    finished()
    const moved = await committed.reads
    for (const [index, [key, jobs]] of [...reads].entries()) {
      const outcome = moved[index] as Outcome<boolean>
      if ('error' in outcome) this.#refuseReads([[key, jobs]], outcome.error)
      else settleReads(jobs, outcome.done)
    }
  }

  #settle(job: MessageJob, outcome: Outcome<Stored>): Promise<void> | undefined {
    if ('done' in outcome) {
      this.#log.reported(outcome.done.id)
      return job.resolve(outcome.done)
    }
    if (outcome.error instanceof InDoubt) this.#doubts.push(doubtOf(job, outcome.error))
    else job.reject(outcome.error)
    return undefined
  }

  #refuseReads(reads: Iterable<readonly [string, readonly ReadJob[]]>, error: unknown) {
    this.#reads.refuse(reads, error, { mayRetry: !this.#closed })
  }
}
