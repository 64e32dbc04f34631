import type { LRUCache } from 'lru-cache'
import { lruCache } from './lru-cache.ts'

/**
 * Read-through LRU cache of database rows, so that a message costs no query. Code that changes a row must invalidate it.
 * Concurrent reads of a key share one load, and continue in the order in which they came.
 */
export class LoadCache<K extends string | number, V extends object> {
  readonly #load: (key: K) => Promise<V | undefined>
  readonly #cached: LRUCache<K, V>
  readonly #loading = new Map<K, Promise<V | undefined>>()

  /**
   * @param maxEntries least recently used entries beyond are evicted
   * @param load loads one entry; undefined (does not exist) is not cached
   */
  constructor(maxEntries: number, load: (key: K) => Promise<V | undefined>) {
    this.#load = load
    this.#cached = lruCache(maxEntries)
  }

  /** Synchronous on a hit. */
  get(key: K): V | undefined | Promise<V | undefined> {
    return this.#cached.get(key) ?? this.#loading.get(key) ?? this.#fetch(key)
  }

  /** The cached value; undefined on a miss, without loading. */
  peek(key: K): V | undefined {
    return this.#cached.get(key)
  }

  /** Stores a changed value. A load that started before is stale, and not cached. */
  set(key: K, value: V) {
    this.#loading.delete(key)
    this.#cached.set(key, value)
  }

  /** Invalidates entries. A load in flight may be stale, and is not cached. */
  forget(...keys: K[]) {
    for (const key of keys) {
      this.#cached.delete(key)
      this.#loading.delete(key)
    }
  }

  /** Loads in flight may be stale, and are not cached. */
  forgetLoads() {
    this.#loading.clear()
  }

  /** Forgets every entry. */
  clear() {
    this.#cached.clear()
    this.#loading.clear()
  }

  #fetch(key: K): Promise<V | undefined> {
    const loading: Promise<V | undefined> = this.#load(key).then((value) => {
      // Invalidated meanwhile: nobody gets a value that was stale before.
      if (this.#loading.get(key) !== loading) return this.get(key)
      if (value !== undefined) this.#cached.set(key, value)
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
