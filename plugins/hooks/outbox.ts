/** An event that is to be delivered. */
export interface Entry {
  readonly id: number
  /** See Deliverable: events of one conversation are delivered in the order of their ids. */
  readonly conversation: string
  /** Failed ones. */
  attempts: number
  /** Earliest time of the next attempt. */
  dueAt: number
}

/** The events of one hook that were taken from the database and are not delivered. */
export class Outbox {
  /** All events up to this id were taken. */
  position: number
  readonly #queues = new Map<string, Entry[]>()
  readonly #running = new Set<Entry>()

  constructor(position: number) {
    this.position = position
  }

  get size(): number {
    let size = 0
    for (const queue of this.#queues.values()) size += queue.length
    return size
  }

  /** Ids that are not delivered, ascending. */
  get pending(): number[] {
    const ids = [...this.#queues.values()].flatMap((queue) => queue.map(({ id }) => id))
    return ids.sort((a, b) => a - b)
  }

  /** Adds an event, unless it is there already. */
  add(entry: Entry) {
    const queue = this.#queues.get(entry.conversation)
    if (queue === undefined) return void this.#queues.set(entry.conversation, [entry])
    if (queue.some(({ id }) => id === entry.id)) return
    // An event that is delivered again has a lower id than those that wait; the first may be under way.
    const after = queue.findLastIndex((other) => other.id < entry.id || this.#running.has(other))
    queue.splice(after + 1, 0, entry)
  }

  /** The next event that is due, of a conversation that waits for none; it counts as running. */
  next(now: number): Entry | undefined {
    for (const [conversation, queue] of this.#queues) {
      const [first] = queue
      if (first === undefined || first.dueAt > now || this.#running.has(first)) continue
      this.#running.add(first)
      // The others have their turn before its next event.
      this.#queues.delete(conversation)
      this.#queues.set(conversation, queue)
      return first
    }
    return undefined
  }

  /** An attempt has ended; the event waits for the next one. */
  putBack(entry: Entry) {
    this.#running.delete(entry)
  }

  /** The event needs no further attempt. */
  remove(entry: Entry) {
    this.#running.delete(entry)
    const queue = this.#queues.get(entry.conversation) ?? []
    const index = queue.indexOf(entry)
    if (index >= 0) queue.splice(index, 1)
    if (queue.length === 0) this.#queues.delete(entry.conversation)
  }

  /** Ends all pauses. */
  hurry(now: number) {
    for (const [first] of this.#queues.values()) if (first !== undefined) first.dueAt = Math.min(first.dueAt, now)
  }

  /** The time at which the next event is due; undefined if all that are left are running. */
  get dueAt(): number | undefined {
    const times = [...this.#queues.values()].flatMap(([first]) =>
      first === undefined || this.#running.has(first) ? [] : [first.dueAt],
    )
    return times.length === 0 ? undefined : Math.min(...times)
  }
}
