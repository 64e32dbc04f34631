import type { Clock } from '../clock.ts'

/** Longest wait for the database, milliseconds. */
const DATABASE_MS = 2000

export interface ReadinessParts {
  readonly clock: Clock
  /** Whether the server has started and does not stop. */
  isOpen(): boolean
  /** Rejects if the database does not answer. */
  checkDatabase(): Promise<unknown>
}

/** Whether the server can take requests: the answer of `/readyz`. */
export class Readiness {
  readonly #parts: ReadinessParts
  /** Shared by all who ask meanwhile: probes must not load a slow database. */
  #checking: Promise<boolean> | undefined

  constructor(parts: ReadinessParts) {
    this.#parts = parts
  }

  /** Why the server is not ready; undefined if it is. Never rejects. */
  async obstacle(): Promise<string | undefined> {
    if (!this.#parts.isOpen()) return 'the server starts or stops'
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined
    })
    return (await this.#checking) ? undefined : 'the database does not answer'
  }

  #check(): Promise<boolean> {
    const { clock, checkDatabase } = this.#parts
    return new Promise((resolve) => {
      const deadline = clock.after(DATABASE_MS, () => resolve(false))
      const settle = (answered: boolean) => {
        deadline.cancel()
        resolve(answered)
      }
      checkDatabase().then(
        () => settle(true),
        () => settle(false),
      )
    })
  }
}
