import type { Logger } from 'pino'
import { KeyedQueue, Refused } from '../../core/index.ts'
import { FAILURES } from './failures.ts'
import type { BlobFacts, BlobStore } from './store/blob-store.ts'
import { UseCounts } from './use-counts.ts'

/** Pause before a request may be repeated that failed because of the store. */
const RETRY_MS = 2000

/** The store, shared by uploads that add content and the sweep that deletes it: content in use is not deleted. */
export class Contents {
  readonly #store: BlobStore
  readonly #log: Logger
  readonly #used = new UseCounts<string>()
  /** Deletions, by key. */
  readonly #deletions = new KeyedQueue<string>()

  constructor(store: BlobStore, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Runs work that stores content under these keys and then a row that names them. */
  async using<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const key of keys) this.#used.add(key)
    try {
      // A deletion that is past its last check must end before the content is stored again.
      for (const key of keys) await this.#deletions.run(key, () => {})
      return await work()
    } finally {
      for (const key of keys) this.#used.remove(key)
    }
  }

  /** Puts the content of a file into the store, within `using`. @throws Refused `no_space`, `store_unavailable` */
  put(key: string, path: string): Promise<void> {
    return this.#asked(this.#store.put(key, path))
  }

  /** See BlobStore. @throws Refused `store_unavailable` */
  read(key: string, offset: number, length: number): Promise<Buffer | undefined> {
    return this.#asked(this.#store.read(key, offset, length))
  }

  list(): AsyncIterable<BlobFacts> {
    return this.#store.list()
  }

  /** Deletes content unless it is in use. False if it was kept. @param isUnused whether no row names it */
  delete(key: string, isUnused: () => Promise<boolean>): Promise<boolean> {
    return this.#deletions.run(key, async () => {
      if (!(await isUnused()) || this.#used.has(key)) return false
      await this.#store.delete(key)
      return true
    })
  }

  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new Refused(FAILURES.no_space)
      this.#log.error({ err: error }, 'the store of the files has failed')
      throw new Refused(FAILURES.store_unavailable, undefined, { retryAfter: RETRY_MS })
    }
  }
}
