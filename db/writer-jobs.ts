import type { NewMessageRow } from './message-columns.ts'
import { addFound, type InDoubt, type MessageStore, type Outcomes, type Read, type Stored } from './message-store.ts'

/** A message queued for the writer. */
export interface MessageJob {
  readonly work: NewMessageRow
  /** The message is stored. The writer reports the outcome of the next one after the returned promise, if there is one. */
  resolve(stored: Stored): Promise<void> | undefined
  reject(error: unknown): void
}

/** A job that nothing waits for. */
export const messageJob = (
  work: NewMessageRow,
  done: (stored: Stored) => void,
  reject: MessageJob['reject'],
): MessageJob => ({
  work,
  resolve(stored) {
    done(stored)
    return undefined
  },
  reject,
})

/** Whether one of the rows may be stored by one of the jobs: its sender may have used the client id of another one. */
export function isAnyOf(jobs: readonly MessageJob[], rows: readonly Pick<NewMessageRow, 'client_id'>[]): boolean {
  const clientIds = new Set(jobs.map(({ work }) => work.client_id))
  return rows.some(({ client_id }) => clientIds.has(client_id))
}

/** A read position queued for the writer. */
export interface ReadJob {
  readonly work: Read
  resolve(hasMoved: boolean): void
  reject(error: unknown): void
  /** The database has failed it before: its caller was rejected with OutcomePending. */
  readonly isLate?: boolean
}

/**
 * The database failed, and the write may have been committed or is retried once the database is back. Report
 * `unavailable`; the client may retry.
 */
export class OutcomePending<R> extends Error {
  /** Resolves when the outcome is known, with undefined if nothing was written. Rejects if the writer is closed first. */
  readonly outcome: Promise<R | undefined>

  constructor(cause: unknown, outcome: Promise<R | undefined>) {
    super('the database is not available', { cause })
    this.name = 'OutcomePending'
    this.outcome = outcome
    // Observing the outcome is optional.
    outcome.catch(() => {})
  }
}

/** A message in doubt: stored or not, depending on whether its commit succeeded. */
export interface Doubt {
  readonly work: NewMessageRow
  /** The database's error. */
  readonly cause: unknown
  readonly outcome: Promise<Stored | undefined>
  resolve(stored: Stored | undefined): void
  reject(error: unknown): void
}

/** Rejects a job with OutcomePending; the returned doubt settles that outcome later. */
export function doubtOf(job: MessageJob, error: InDoubt): Doubt {
  let doubt: Pick<Doubt, 'resolve' | 'reject'> | undefined
  const outcome = new Promise<Stored | undefined>((resolve, reject) => {
    doubt = { resolve, reject }
  })
  job.reject(new OutcomePending(error.cause, outcome))
  return { work: job.work, cause: error.cause, outcome, ...(doubt as Pick<Doubt, 'resolve' | 'reject'>) }
}

/** Rejects a job with OutcomePending; the returned job settles that outcome later. */
export function lateOf(job: ReadJob, error: unknown): ReadJob {
  let late: Pick<ReadJob, 'resolve' | 'reject'> | undefined
  const outcome = new Promise<boolean | undefined>((resolve, reject) => {
    // Reported as moved in any case: the failed attempt may have moved it.
    late = { resolve: () => resolve(true), reject }
  })
  job.reject(new OutcomePending(error, outcome))
  return { work: job.work, isLate: true, ...(late as Pick<ReadJob, 'resolve' | 'reject'>) }
}

/** Resolves when a job is settled, either way. */
export function endOf(job: MessageJob): Promise<void> {
  return new Promise((done) => {
    const [resolve, reject] = [job.resolve.bind(job), job.reject.bind(job)]
    job.resolve = (stored) => {
      const pause = resolve(stored)
      done()
      return pause
    }
    job.reject = (error) => {
      reject(error)
      done()
    }
  })
}

/** Of several positions in one conversation the furthest was written; only the first job with it reports a move. */
export function settleReads(jobs: readonly ReadJob[], hasMoved: boolean) {
  const moved = furthest(jobs)
  for (const job of jobs) job.resolve(job === moved && hasMoved)
}

/** The first job with the highest position. */
export const furthest = (jobs: readonly ReadJob[]): ReadJob =>
  jobs.reduce((far, job) => (job.work.upTo > far.work.upTo ? job : far), jobs[0] as ReadJob)

/**
 * Looks up messages whose outcome is unknown, and takes those from the list that it settles.
 * @param raise called with the id of each message that is stored, before any of them is settled
 * @throws the error of the database: the messages stay in doubt
 */
export async function settleDoubts(store: MessageStore, doubts: Doubt[], horizon: number, raise: (id: number) => void) {
  if (doubts.length === 0) return
  const rows = doubts.map(({ work }) => work)
  const outcomes: Outcomes = new Map()
  addFound(outcomes, rows, await store.find(rows), horizon)
  for (const found of outcomes.values()) if ('done' in found) raise(found.done.id)
  for (const { work, resolve } of doubts.splice(0)) {
    const outcome = outcomes.get(work)
    resolve(outcome !== undefined && 'done' in outcome ? outcome.done : undefined)
  }
}
