/** Runs tasks of the same key one after the other, in the order they were asked for; those of other keys go on meanwhile. */
export class KeyedQueue<K> {
  readonly #last = new Map<K, Promise<unknown>>()

  /** True while a task of that key runs or waits. */
  isBusy(key: K): boolean {
    return this.#last.has(key)
  }

  /** Resolves or rejects as the task does. A task that fails does not hold up the next one. */
  run<T>(key: K, task: () => T | Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const result = before === undefined ? (async () => task())() : before.then(task)
    const end = result.then(
      () => {},
      () => {},
    )
    this.#last.set(key, end)
    void end.then(() => {
      if (this.#last.get(key) === end) this.#last.delete(key)
    })
    return result
  }
}
