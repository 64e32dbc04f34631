import type { Clock, Timer } from '../clock.ts'

const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 5000

/** Exponential back-off: the pause after that many consecutive failures, milliseconds. */
export const retryPause = (failures: number) => Math.min(MIN_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)

/** Owner of the retries, such as a plugin's App. */
interface Owner {
  readonly clock: Clock
  /** Aborted when the owner stops, which ends the retries. */
  readonly signal: AbortSignal
  onStop(task: () => unknown): void
}

/** Retries work while the database is unavailable, until the owner stops. */
export class Retries {
  readonly #owner: Owner
  readonly #isUnavailable: (error: unknown) => boolean
  readonly #onError: (error: unknown) => void
  readonly #pauses = new Map<Timer, () => void>()

  /**
   * @param isUnavailable whether an error is transient, and the work is to be retried
   * @param onError called with the first error of each piece of work, and with a permanent one
   */
  constructor(owner: Owner, isUnavailable: (error: unknown) => boolean, onError: (error: unknown) => void) {
    this.#owner = owner
    this.#isUnavailable = isUnavailable
    this.#onError = onError
    owner.onStop(() => {
      for (const [timer, resume] of this.#pauses) {
        timer.cancel()
        resume()
      }
    })
  }

  /** Resolves with the result of the work; with undefined after a permanent error, or when the owner has stopped. */
  async until<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1; !this.#owner.signal.aborted; failures++) {
      try {
        return await work()
      } catch (error) {
        const isTransient = this.#isUnavailable(error)
        if (failures === 1 || !isTransient) this.#onError(error)
        if (!isTransient) return undefined
        await this.#pause(retryPause(failures))
      }
    }
    return undefined
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#owner.clock
        .after(ms, () => {
          this.#pauses.delete(timer)
          resolve()
        })
        .unref()
      this.#pauses.set(timer, resolve)
    })
  }
}
