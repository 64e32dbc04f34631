/** Runs tasks of one key serially, in FIFO order; keys are independent of each other. */
export class KeyedQueue<K> {
  readonly #last = new Map<K, Promise<unknown>>()

  /** Whether no task of any key runs or waits: asked before a key is made for each message. */
  get isIdle(): boolean {
    return this.#last.size === 0
  }

  /** Whether a task of that key runs or waits. */
  isBusy(key: K): boolean {
    return this.#last.has(key)
  }

  /** Settles as the task does. A failed task does not prevent the next one. */
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
