/**
 * Fair semaphore: bounds concurrent tasks, and admits waiting ones round-robin by key (an address, for example), so that
 * the backlog of one key delays another key by one task at most.
 */
export class FairSemaphore {
  readonly #max: number
  readonly #maxPerKey: number
  #running = 0
  readonly #runningOf = new Map<string, number>()
  /** Waiting tasks by key, the key to admit next first. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /**
   * @param max concurrent tasks
   * @param maxPerKey concurrent tasks of one key
   */
  constructor(max: number, maxPerKey = max) {
    this.#max = max
    this.#maxPerKey = maxPerKey
  }

  /** Runs the task when it is admitted, and settles as it does. Waiting tasks are not bounded here. */
  async run<T>(key: string, task: () => T | Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      const queue = this.#waiting.get(key)
      if (queue === undefined) this.#waiting.set(key, [resolve])
      else queue.push(resolve)
      this.#startNext()
    })
    try {
      return await task()
    } finally {
      this.#count(key, -1)
      this.#startNext()
    }
  }

  #startNext() {
    if (this.#running >= this.#max) return
    for (const [key, queue] of this.#waiting) {
      if ((this.#runningOf.get(key) ?? 0) >= this.#maxPerKey) continue
      const [start, ...rest] = queue
      this.#waiting.delete(key)
      if (rest.length > 0) this.#waiting.set(key, rest)
      this.#count(key, 1)
      start?.()
      return
    }
  }

  #count(key: string, by: number) {
    this.#running += by
    const running = (this.#runningOf.get(key) ?? 0) + by
    if (running > 0) this.#runningOf.set(key, running)
    else this.#runningOf.delete(key)
  }
}
