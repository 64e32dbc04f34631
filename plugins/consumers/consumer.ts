import type { UserSession } from '../../core/index.ts'
import type { ConsumerRow, StateUsage, StoredConsumer } from '../../db/index.ts'
import { type Delivery, eventKey } from '../messages/delivery.ts'

/** Acknowledgements remembered of events that have not been pushed again since the server started. */
const MAX_EARLY = 1000

/** A loaded consumer: its position, its events in flight, and the session that receives them. */
export class Consumer {
  readonly userId: number
  readonly name: string
  /** The session that receives its events. */
  holder: { readonly session: UserSession; readonly delivery: Delivery } | undefined
  /** Set when its deletion begins: nothing of it is written afterwards. */
  isDeleted = false
  /** Size of its state, accepted writes included. Changes in the turn of its user only. */
  usage: StateUsage
  /** See ConsumerRow. */
  epoch: number
  /** Whether this server has taken it: it knows the events in flight, and others do not. */
  isTaken = false
  #position: number
  #movedAt: number
  /** Ids pushed and not acknowledged, on any session. */
  #inFlight: Set<number>
  /**
   * Ids acknowledged before they were pushed, by a client that received them before a restart of the server. Lower ids may
   * not have been pushed yet, so these do not move the position until they are pushed.
   */
  readonly #early = new Set<number>()

  constructor(row: StoredConsumer) {
    this.userId = row.user_id
    this.name = row.name
    this.usage = { state_keys: row.state_keys, state_bytes: row.state_bytes }
    this.#position = row.position
    this.epoch = row.epoch
    this.#movedAt = row.moved_at
    this.#inFlight = new Set(row.pending)
  }

  /** The highest acknowledged id. */
  get position(): number {
    return this.#position
  }

  /** Unacknowledged ids up to the position, ascending. */
  get pending(): number[] {
    return [...this.#inFlight].filter((id) => id <= this.#position).sort((a, b) => a - b)
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  /** The lowest id in flight; Infinity if there is none. */
  get oldestInFlight(): number {
    return Math.min(...this.#inFlight)
  }

  get row(): ConsumerRow {
    const { userId, name, position, pending, epoch } = this
    return { user_id: userId, name, position, pending, moved_at: this.#movedAt, epoch }
  }

  /** An event was pushed. False when it was acknowledged before. */
  pushed(id: number): boolean {
    if (id <= this.#position && !this.#inFlight.has(id)) return false
    this.#inFlight.add(id)
    return !this.#early.delete(id)
  }

  get active(): boolean {
    return this.holder?.delivery.stopped === false
  }

  /** An event was handled. False when there is nothing new to store. */
  acknowledge(id: number): boolean {
    const wasInFlight = this.#inFlight.delete(id)
    this.holder?.delivery.forget(eventKey(id), id)
    if (!wasInFlight) {
      if (id > this.#position && this.#early.size < MAX_EARLY) this.#early.add(id)
      return false
    }
    this.#position = Math.max(this.#position, id)
    return true
  }

  /** An event does not exist any more: recalled, or of a group that the user has left. */
  forget(id: number) {
    this.#inFlight.delete(id)
  }

  /** Skips events up to this id. */
  skipTo(id: number) {
    for (const other of this.#inFlight) if (other <= id) this.#inFlight.delete(other)
    this.#position = Math.max(this.#position, id)
  }

  /** Becomes what is stored. What was acknowledged early stays so. */
  refresh(row: StoredConsumer) {
    this.usage = { state_keys: row.state_keys, state_bytes: row.state_bytes }
    this.epoch = row.epoch
    this.#position = row.position
    this.#movedAt = row.moved_at
    this.#inFlight = new Set(row.pending)
  }

  /** Sets the position: events above this id come next. */
  moveTo(id: number, now: number) {
    this.#inFlight.clear()
    this.#early.clear()
    this.#position = id
    this.#movedAt = now
  }
}
