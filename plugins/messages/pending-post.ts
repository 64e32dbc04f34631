import type { Refused } from '../../core/index.ts'
import { type MessageJob, type NewMessageRow, Outdated, type Stored } from '../../db/index.ts'
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
  /** The message is to be checked again, see Outdated. */
  outdated(post: PendingPost): void
}

/** Checks of one message. Changes that decide on it come much less often. */
const MAX_CHECKS = 10

/**
 * A message in the queue of the writer. One object in place of a promise and two closures: thousands wait for a commit,
 * and what waits is copied by each garbage collection.
 */
export class PendingPost implements MessageJob {
  readonly work: NewMessageRow
  readonly audience: Audience
  readonly #outcomes: PostOutcomes
  readonly #done: (posted: Posted | Promise<Posted>) => void
  readonly #failed: (error: unknown) => void
  readonly #checks: number

  constructor(
    work: NewMessageRow,
    audience: Audience,
    outcomes: PostOutcomes,
    done: (posted: Posted | Promise<Posted>) => void,
    failed: (error: unknown) => void,
    checks = 1,
  ) {
    this.work = work
    this.audience = audience
    this.#outcomes = outcomes
    this.#done = done
    this.#failed = failed
    this.#checks = checks
  }

  resolve(stored: Stored): Promise<void> | undefined {
    try {
      this.#done(this.#outcomes.stored(this.work, this.audience, stored))
    } catch (error) {
      this.#failed(error)
    }
    return this.#outcomes.pause()
  }

  reject(error: unknown) {
    if (error instanceof Outdated && this.#checks < MAX_CHECKS) this.#outcomes.outdated(this)
    else this.#failed(this.#outcomes.notStored(this.work, this.audience, error))
  }

  /** The same message after another check. */
  again(work: NewMessageRow, audience: Audience): PendingPost {
    return new PendingPost(work, audience, this.#outcomes, this.#done, this.#failed, this.#checks + 1)
  }

  /** The message is refused. */
  fail(error: unknown) {
    this.#failed(error)
  }
}
