/** Counts the users of things: a thing is in use until each has removed itself. */
export class UseCounts<T> {
  readonly #counts = new Map<T, number>()

  add(thing: T) {
    this.#counts.set(thing, (this.#counts.get(thing) ?? 0) + 1)
  }

  remove(thing: T) {
    const left = (this.#counts.get(thing) ?? 1) - 1
    if (left > 0) this.#counts.set(thing, left)
    else this.#counts.delete(thing)
  }

  has(thing: T): boolean {
    return this.#counts.has(thing)
  }
}
