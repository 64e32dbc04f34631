import { KeyedQueue } from '../../core/index.ts'
import type { BlobStore } from './store/blob-store.ts'

/** The store, shared by uploads that add content and the sweep that deletes it: content in use is not deleted. */
export class Contents {
  readonly store: BlobStore
  /** Keys in use, with the number of their users. */
  readonly #used = new Map<string, number>()
  /** Deletions, by key. */
  readonly #deletions = new KeyedQueue<string>()

  constructor(store: BlobStore) {
    this.store = store
  }

  /** Runs work that stores content under these keys and then a row that names them. */
  async using<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const key of keys) this.#used.set(key, (this.#used.get(key) ?? 0) + 1)
    try {
      // A deletion that is past its last check must end before the content is stored again.
      for (const key of keys) await this.#deletions.run(key, () => {})
      return await work()
    } finally {
      for (const key of keys) {
        const left = (this.#used.get(key) ?? 1) - 1
        if (left > 0) this.#used.set(key, left)
        else this.#used.delete(key)
      }
    }
  }

  /** Deletes content unless it is in use. False if it was kept. @param isUnused whether no row names it */
  delete(key: string, isUnused: () => Promise<boolean>): Promise<boolean> {
    return this.#deletions.run(key, async () => {
      if (!(await isUnused()) || this.#used.has(key)) return false
      await this.store.delete(key)
      return true
    })
  }
}
