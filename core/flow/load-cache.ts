import type { LRUCache } from 'lru-cache'
import { lruCache } from './lru-cache.ts'

/**
 * Things read from the database and kept in memory, so that a message costs no query. Whoever changes one of them
 * forgets it here; callers that come while it is being read share the one read, and go on in the order they came.
 */
export class LoadCache<K extends string | number, V extends object> {
  readonly #load: (key: K) => Promise<V | undefined>
  readonly #known: LRUCache<K, V>
  readonly #loading = new Map<K, Promise<V | undefined>>()

  /**
   * @param max things kept at most
   * @param load reads one; undefined, for what does not exist, is not kept
   */
  constructor(max: number, load: (key: K) => Promise<V | undefined>) {
    this.#load = load
    this.#known = lruCache(max)
  }

  /** At once when it is in memory. */
  get(key: K): V | undefined | Promise<V | undefined> {
    return this.#known.get(key) ?? this.#loading.get(key) ?? this.#fetch(key)
  }

  /** What is known without asking the database; undefined also for what is not in memory. */
  peek(key: K): V | undefined {
    return this.#known.get(key)
  }

  /** Keeps what a change has made of it: a read that began before the change is not kept. */
  set(key: K, value: V) {
    this.#loading.delete(key)
    this.#known.set(key, value)
  }

  forget(...keys: K[]) {
    for (const key of keys) {
      this.#known.delete(key)
      // What is being read now may be older than the change.
      this.#loading.delete(key)
    }
  }

  #fetch(key: K): Promise<V | undefined> {
    const loading = this.#load(key).then((value) => {
      if (value !== undefined && this.#loading.get(key) === loading) this.#known.set(key, value)
      return value
    })
    this.#loading.set(key, loading)
    const done = () => {
      if (this.#loading.get(key) === loading) this.#loading.delete(key)
    }
    loading.then(done, done)
    return loading
  }
}
