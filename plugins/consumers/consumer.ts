import type { UserSession } from '../../core/index.ts'
import type { ConsumerRow } from '../../db/index.ts'
import { type Delivery, eventKey } from '../messages/delivery.ts'

/** Acknowledgements kept of events that have not been pushed again since the server started. */
const MOST_AHEAD = 1000

/** A consumer while the server deals with it: what was handled, what is out, and on which session. */
export class Consumer {
  readonly userId: number
  readonly name: string
  /** Who gets its events. */
  holder: { readonly session: UserSession; readonly delivery: Delivery } | undefined
  /** Set once it is being deleted: nothing of it is written any more. */
  isDeleted = false
  /** Keys of state that are new and being written, each with how often. */
  readonly newKeys = new Map<string, number>()
  /** About how many bytes of state it keeps; undefined until they are counted. */
  stateBytes: number | undefined
  #position: number
  #movedAt: number
  /** Pushed and not acknowledged, whatever session they were pushed to. */
  readonly #out: Set<number>
  /**
   * Acknowledged before they were pushed: by a client that has them from the time before the server was started again.
   * What lies below them may not have been pushed yet, so they do not count until they are.
   */
  readonly #ahead = new Set<number>()

  constructor(row: ConsumerRow) {
    this.userId = row.user_id
    this.name = row.name
    this.#position = row.position
    this.#movedAt = row.moved_at
    this.#out = new Set(row.pending)
  }

  /** The highest id that was acknowledged. */
  get position(): number {
    return this.#position
  }

  /** Ids up to the position that were not acknowledged, ascending. */
  get pending(): number[] {
    return [...this.#out].filter((id) => id <= this.#position).sort((a, b) => a - b)
  }

  get row(): ConsumerRow {
    const { userId, name, position, pending } = this
    return { user_id: userId, name, position, pending, moved_at: this.#movedAt }
  }

  /** An event is on its way; false when nobody waits for it any more: it was acknowledged already. */
  pushed(id: number): boolean {
    if (id <= this.#position && !this.#out.has(id)) return false
    this.#out.add(id)
    return !this.#ahead.delete(id)
  }

  get active(): boolean {
    return this.holder?.delivery.stopped === false
  }

  /** An event was handled. False when that changes nothing that is to be kept. */
  acknowledge(id: number): boolean {
    const wasOut = this.#out.delete(id)
    this.holder?.delivery.forget(eventKey(id), id)
    if (!wasOut) {
      if (id > this.#position && this.#ahead.size < MOST_AHEAD) this.#ahead.add(id)
      return false
    }
    this.#position = Math.max(this.#position, id)
    return true
  }

  /** An event that is no more: deleted, or in a group that the user has left. */
  forget(id: number) {
    this.#out.delete(id)
  }

  /** Leaves out what is not above this id. */
  skipTo(id: number) {
    for (const out of this.#out) if (out <= id) this.#out.delete(out)
    this.#position = Math.max(this.#position, id)
  }

  /** Events above this id come next. */
  moveTo(id: number, now: number) {
    this.#out.clear()
    this.#ahead.clear()
    this.#position = id
    this.#movedAt = now
  }
}
