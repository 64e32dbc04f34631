import type { InDoubt, Read, Stored } from './message-store.ts'
import type { NewMessageRow } from './messages.ts'

/** A message or read position that waits to be written, and its caller. */
export interface Job<T, R> {
  readonly work: T
  resolve(result: R): void
  reject(error: unknown): void
}

export interface ReadJob extends Job<Read, boolean> {
  /** The database has refused it before, and its reader was told so. */
  readonly isLate?: boolean
}

/**
 * The database failed: what was asked for may have been done, or is done when the database is back. Whoever asked should
 * be told that it is unavailable, and may ask again.
 */
export class OutcomePending<R> extends Error {
  /** Resolves when it is known: undefined for what was not done. Rejects when the writer was closed before. */
  readonly outcome: Promise<R | undefined>

  constructor(cause: unknown, outcome: Promise<R | undefined>) {
    super('the database is not available', { cause })
    this.name = 'OutcomePending'
    this.outcome = outcome
    // Nobody needs to wait for it.
    outcome.catch(() => {})
  }
}

/** A message that may be stored. */
export interface Doubt {
  readonly work: NewMessageRow
  /** The error of the database. */
  readonly cause: unknown
  readonly outcome: Promise<Stored | undefined>
  resolve(stored: Stored | undefined): void
  reject(error: unknown): void
}

/** Rejects a message for now, and gives what ends it when its outcome is known. */
export function doubtOf({ work, reject: refuse }: Job<NewMessageRow, Stored>, error: InDoubt): Doubt {
  let doubt: Pick<Doubt, 'resolve' | 'reject'> | undefined
  const outcome = new Promise<Stored | undefined>((resolve, reject) => {
    doubt = { resolve, reject }
  })
  refuse(new OutcomePending(error.cause, outcome))
  return { work, cause: error.cause, outcome, ...(doubt as Pick<Doubt, 'resolve' | 'reject'>) }
}

/** Rejects a position for now, and gives the job that ends what it waits for later. */
export function lateOf(job: ReadJob, error: unknown): ReadJob {
  let late: Pick<ReadJob, 'resolve' | 'reject'> | undefined
  const outcome = new Promise<boolean | undefined>((resolve, reject) => {
    // Told as moved in any case: the attempt that failed may have moved it.
    late = { resolve: () => resolve(true), reject }
  })
  job.reject(new OutcomePending(error, outcome))
  return { work: job.work, isLate: true, ...(late as Pick<ReadJob, 'resolve' | 'reject'>) }
}

/** Resolves when a job has ended, however. */
export function endOf(job: Job<NewMessageRow, Stored>): Promise<void> {
  return new Promise((done) => {
    const { resolve, reject } = job
    job.resolve = (stored) => {
      resolve(stored)
      done()
    }
    job.reject = (error) => {
      reject(error)
      done()
    }
  })
}

/** Of several positions in one conversation the furthest was taken, and only the first to name it has moved anything. */
export function settleReads(jobs: readonly ReadJob[], hasMoved: boolean) {
  const moved = furthest(jobs)
  for (const job of jobs) job.resolve(job === moved && hasMoved)
}

/** The first of those that reach furthest. */
export const furthest = (jobs: readonly ReadJob[]): ReadJob =>
  jobs.reduce((far, job) => (job.work.upTo > far.work.upTo ? job : far), jobs[0] as ReadJob)
