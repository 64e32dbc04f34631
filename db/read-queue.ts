import type { Read } from './message-store.ts'
import { isUnavailable } from './transaction.ts'
import { furthest, lateOf, type ReadJob } from './writer-jobs.ts'

/** Read positions kept for retry while the database is not available; beyond it they are refused. */
const MAX_LATE_READS = 50_000

const keyOf = ({ readerId, isGroup, fromId }: Read) => `${readerId} ${isGroup} ${fromId}`

/** Read positions that wait for a commit, by reader and conversation: only the furthest one of each is stored. */
export class ReadQueue {
  #queued = new Map<string, ReadJob[]>()
  /** Positions to retry. */
  #late = new Map<string, ReadJob>()
  /** No queued position reaches beyond this id. */
  #highest = 0

  get size(): number {
    return this.#queued.size
  }

  get lateSize(): number {
    return this.#late.size
  }

  add(job: ReadJob) {
    const { work } = job
    this.#highest = Math.max(this.#highest, work.upTo)
    const key = keyOf(work)
    const waiting = this.#queued.get(key)
    if (waiting === undefined) this.#queued.set(key, [job])
    else waiting.push(job)
  }

  /** Whether a position here reaches beyond an id. */
  reaches(id: number): boolean {
    return this.#late.size > 0 || this.#highest > id
  }

  /** All queued read positions and those to retry. */
  take(): Map<string, ReadJob[]> {
    const taken = this.#queued
    this.#queued = new Map()
    this.#highest = 0
    for (const [key, late] of this.#late) taken.set(key, [late, ...(taken.get(key) ?? [])])
    this.#late = new Map()
    return taken
  }

  /** Rejects taken read positions; of an unavailable database the furthest one of each conversation is kept for retry. */
  refuse(taken: Iterable<readonly [string, readonly ReadJob[]]>, error: unknown, { mayRetry }: { mayRetry: boolean }) {
    for (const [key, jobs] of taken) {
      const last = furthest(jobs)
      const isKept = mayRetry && isUnavailable(error) && this.#late.size < MAX_LATE_READS
      for (const job of jobs) {
        if (job === last && isKept) this.#late.set(key, job.isLate ? job : lateOf(job, error))
        else job.reject(error)
      }
    }
  }
}
