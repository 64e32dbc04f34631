/**
 * Look-ups of which each owner has at most one under way, answered in the order in which they were asked for: a burst
 * of messages that name what is not in memory asks the database for one thing at a time.
 */
export class InOrder<K extends object> {
  /** The last look-up of an owner, while it or an earlier one is under way. */
  readonly #last = new Map<K, Promise<unknown>>()

  /** What `find` finds: at once if it has it at once and nothing of this owner is under way. */
  find<T>(owner: K, find: () => T | Promise<T>): T | Promise<T> {
    const earlier = this.#last.get(owner)
    const found = earlier === undefined ? find() : earlier.then(find)
    if (!(found instanceof Promise)) return found
    const settled: Promise<void> = found.then(
      () => this.#ended(owner, settled),
      () => this.#ended(owner, settled),
    )
    this.#last.set(owner, settled)
    return found
  }

  #ended(owner: K, settled: Promise<unknown>) {
    if (this.#last.get(owner) === settled) this.#last.delete(owner)
  }
}
