/** Stores a state that changes often: one write at a time, each with all changes until then. */
export class Saver {
  readonly #write: () => Promise<unknown>
  #isUnsaved = false
  #saving: Promise<void> | undefined

  constructor(write: () => Promise<unknown>) {
    this.#write = write
  }

  /** Whether the last write has failed, or one runs. */
  get isUnsaved(): boolean {
    return this.#isUnsaved || this.#saving !== undefined
  }

  /** Resolves when the state is stored as it is now. Rejects when it could not be; the next call stores it too. */
  save(): Promise<void> {
    this.#isUnsaved = true
    this.#saving ??= this.#run().finally(() => {
      this.#saving = undefined
    })
    return this.#saving
  }

  async #run() {
    while (this.#isUnsaved) {
      this.#isUnsaved = false
      try {
        await this.#write()
      } catch (error) {
        this.#isUnsaved = true
        throw error
      }
    }
  }
}
