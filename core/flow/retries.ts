import type { Clock, Timer } from '../clock.ts'

const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 5000

/** The pause after so many failures in a row, in milliseconds. */
export const retryPause = (failures: number) => Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LAST_PAUSE_MS)

/** What retries belong to: a plugin's App is one. */
interface Owner {
  readonly clock: Clock
  /** Aborted when the owner stops: no more retries. */
  readonly signal: AbortSignal
  onStop(task: () => unknown): void
}

/** Work that has to be done although the database is not available now: tried again until it is, or the plugin stops. */
export class Retries {
  readonly #owner: Owner
  readonly #isUnavailable: (error: unknown) => boolean
  readonly #onError: (error: unknown) => void
  readonly #timers = new Set<Timer>()

  /**
   * @param isUnavailable whether waiting helps
   * @param onError told of the first failure of a piece of work, and of one that waiting does not help
   */
  constructor(owner: Owner, isUnavailable: (error: unknown) => boolean, onError: (error: unknown) => void) {
    this.#owner = owner
    this.#isUnavailable = isUnavailable
    this.#onError = onError
    owner.onStop(() => {
      for (const timer of this.#timers) timer.cancel()
    })
  }

  /** Resolves with the result of the work; with undefined when it was given up. */
  async until<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1; !this.#owner.signal.aborted; failures++) {
      try {
        return await work()
      } catch (error) {
        const isPassing = this.#isUnavailable(error)
        if (failures === 1 || !isPassing) this.#onError(error)
        if (!isPassing) return undefined
        await this.#pause(retryPause(failures))
      }
    }
    return undefined
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#owner.clock
        .after(ms, () => {
          this.#timers.delete(timer)
          resolve()
        })
        .unref()
      this.#timers.add(timer)
    })
  }
}
