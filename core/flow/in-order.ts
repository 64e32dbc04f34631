/**
 * Look-ups in request order, with at most one in flight per owner: a burst of messages with cache misses queries the
 * database one at a time.
 */
export class InOrder<K extends object> {
  /** Last look-up of each owner with look-ups in flight. */
  readonly #last = new Map<K, Promise<unknown>>()

  /** The result of `find`; synchronous if `find` is and the owner has no look-up in flight. */
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
