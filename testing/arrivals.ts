/** Things that came and were not yet asked for, and who waits for one. Each is given to one asker, oldest first. */
export class Arrivals<T extends object> {
  readonly #unclaimed: T[] = []
  readonly #waiting = new Set<(item: T) => boolean>()

  get unclaimed(): readonly T[] {
    return this.#unclaimed
  }

  push(item: T) {
    for (const offer of this.#waiting) if (offer(item)) return
    this.#unclaimed.push(item)
  }

  /** What came is void: nobody is given it any more. */
  drop(isVoid: (item: T) => boolean) {
    const index = this.#unclaimed.findIndex(isVoid)
    if (index >= 0) this.#unclaimed.splice(index, 1)
  }

  /**
   * The oldest that fits, also one that is still to come; undefined when none has come in time.
   * @param within milliseconds of real time
   */
  take(fits: (item: T) => boolean, within: number): Promise<T | undefined> {
    const index = this.#unclaimed.findIndex(fits)
    if (index >= 0) return Promise.resolve(this.#unclaimed.splice(index, 1)[0])
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(offer)
        act()
      }
      const offer = (item: T): boolean => {
        try {
          if (!fits(item)) return false
        } catch (error) {
          // The asker's own code, which is not to fail the one that brings the item.
          settle(() => reject(error))
          return false
        }
        settle(() => resolve(item))
        return true
      }
      const timer = setTimeout(() => settle(() => resolve(undefined)), within)
      this.#waiting.add(offer)
    })
  }
}
