import type { Refused } from '../../core/index.ts'
import type { MessageJob, NewMessageRow, Stored } from '../../db/index.ts'
import type { Audience } from './audience.ts'

/** The reply to the sender. */
export interface Posted {
  readonly id: number
  readonly sentAt: number
  /** True if the sender had stored it before; id and time are the first one's. */
  readonly repeat: boolean
}

/** What follows the commit of a message, or its failure. */
export interface PostOutcomes {
  /** A promise for a repeat whose text differs from the stored one. @throws Refused `client_id_reused` */
  stored(wanted: NewMessageRow, audience: Audience, stored: Stored): Posted | Promise<Posted>
  /** Called after `stored`: what the next message waits for. */
  pause(): Promise<void> | undefined
  notStored(wanted: NewMessageRow, audience: Audience, error: unknown): Refused
}

/**
 * A message in the queue of the writer. One object in place of a promise and two closures: thousands wait for a commit,
 * and what waits is copied by each garbage collection.
 */
export class PendingPost implements MessageJob {
  readonly work: NewMessageRow
  readonly #audience: Audience
  readonly #outcomes: PostOutcomes
  readonly #done: (posted: Posted | Promise<Posted>) => void
  readonly #failed: (error: unknown) => void

  constructor(
    work: NewMessageRow,
    audience: Audience,
    outcomes: PostOutcomes,
    done: (posted: Posted | Promise<Posted>) => void,
    failed: (error: unknown) => void,
  ) {
    this.work = work
    this.#audience = audience
    this.#outcomes = outcomes
    this.#done = done
    this.#failed = failed
  }

  resolve(stored: Stored): Promise<void> | undefined {
    try {
      this.#done(this.#outcomes.stored(this.work, this.#audience, stored))
    } catch (error) {
      this.#failed(error)
    }
    return this.#outcomes.pause()
  }

  reject(error: unknown) {
    this.#failed(this.#outcomes.notStored(this.work, this.#audience, error))
  }
}
