/**
 * Lets only so many pieces of work run at once. The others wait, and the keys (addresses, say) take turns: many pieces of
 * one key hold up the few of another one by a single piece each.
 */
export class FairTurns {
  readonly #atOnce: number
  readonly #atOnceOfKey: number
  #running = 0
  readonly #runningOf = new Map<string, number>()
  /** Waiting work of each key; the key in front has waited longest for its turn. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /**
   * @param atOnce pieces of work at once
   * @param atOnceOfKey pieces of one key at once
   */
  constructor(atOnce: number, atOnceOfKey = atOnce) {
    this.#atOnce = atOnce
    this.#atOnceOfKey = atOnceOfKey
  }

  /** Runs the work when it is its turn, and settles as the work does. How much may wait is up to the caller. */
  async take<T>(key: string, work: () => T | Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      const queue = this.#waiting.get(key)
      if (queue === undefined) this.#waiting.set(key, [resolve])
      else queue.push(resolve)
      this.#startNext()
    })
    try {
      return await work()
    } finally {
      this.#count(key, -1)
      this.#startNext()
    }
  }

  #startNext() {
    if (this.#running >= this.#atOnce) return
    for (const [key, queue] of this.#waiting) {
      if ((this.#runningOf.get(key) ?? 0) >= this.#atOnceOfKey) continue
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
