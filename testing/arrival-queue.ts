import type { Timeouts } from './timeouts.ts'

/** A queue of items with pending takers. Each item goes to one taker, oldest first. */
export class ArrivalQueue<T extends object> {
  readonly #timeouts: Timeouts
  readonly #unclaimed: T[] = []
  readonly #takers = new Set<(item: T) => boolean>()

  constructor(timeouts: Timeouts) {
    this.#timeouts = timeouts
  }

  get unclaimed(): readonly T[] {
    return this.#unclaimed
  }

  push(item: T) {
    for (const offer of this.#takers) if (offer(item)) return
    this.#unclaimed.push(item)
  }

  /** Removes the oldest unclaimed item that matches. */
  drop(matches: (item: T) => boolean) {
    const index = this.#unclaimed.findIndex(matches)
    if (index >= 0) this.#unclaimed.splice(index, 1)
  }

  /** Replaces the oldest unclaimed item that matches. */
  replace(matches: (item: T) => boolean, change: (item: T) => T) {
    const index = this.#unclaimed.findIndex(matches)
    if (index >= 0) this.#unclaimed[index] = change(this.#unclaimed[index] as T)
  }

  /**
   * The oldest item that matches, queued or still to come; undefined after the time limit.
   * @param within milliseconds of real time
   */
  take(matches: (item: T) => boolean, within: number): Promise<T | undefined> {
    const index = this.#unclaimed.findIndex(matches)
    if (index >= 0) return Promise.resolve(this.#unclaimed.splice(index, 1)[0])
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        cancelTimeout()
        this.#takers.delete(offer)
        act()
      }
      const offer = (item: T): boolean => {
        try {
          if (!matches(item)) return false
        } catch (error) {
          // The predicate is the test's code: its error fails the taker, not the producer.
          settle(() => reject(error))
          return false
        }
        settle(() => resolve(item))
        return true
      }
      const cancelTimeout = this.#timeouts.start(within, () => settle(() => resolve(undefined)))
      this.#takers.add(offer)
    })
  }
}
