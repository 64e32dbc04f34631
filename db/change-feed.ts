import type { Knex } from 'knex'
import { changesAfter, headOf, type NumberedEntry, type Topic } from './log.ts'

/** Keeps something that was read from the database, such as a cache. */
export interface Follower {
  /** The entry's subject has changed. The next entry is told after the returned promise, if there is one. */
  changed(entry: NumberedEntry): void | Promise<void>
  /** Any subject may have changed: the log cannot be read now. Whatever is read from here on is current. */
  missed(): void
}

/**
 * Tells the changes of the log, each once and in the order of their numbers, to what depends on them. A change made through
 * `after` is told at once, one made elsewhere with the next.
 */
export class ChangeFeed {
  /** Whether other servers make changes too. */
  readonly isShared: boolean = false
  readonly #db: Knex
  readonly #onError: (error: unknown) => void
  readonly #followers = new Map<Topic, Follower[]>()
  #seen: number
  /** The read in progress. */
  #current: Promise<void> | undefined
  /** The read that begins when the current one has ended. */
  #next: Promise<void> | undefined

  protected constructor(db: Knex, seen: number, onError: (error: unknown) => void) {
    this.#db = db
    this.#seen = seen
    this.#onError = onError
  }

  /** @param onError called when the log cannot be read; its followers have been told */
  static async open(db: Knex, onError: (error: unknown) => void): Promise<ChangeFeed> {
    return new ChangeFeed(db, await headOf(db), onError)
  }

  /** Followers of a topic are told in the order in which they came. */
  follow(topic: Topic, follower: Follower) {
    this.#followers.set(topic, [...(this.#followers.get(topic) ?? []), follower])
  }

  /** Makes a change; its entry, and every earlier one, was told when this resolves or rejects. */
  async after<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change()
    } finally {
      // A change that failed may be committed all the same.
      await this.catchUp()
    }
  }

  /** Resolves when every change committed before the call was told, or was reported as missed. Never rejects. */
  catchUp(): Promise<void> {
    // The current read may have begun before the caller's commit.
    this.#next ??= this.#readAfter(this.#current)
    return this.#next
  }

  async #readAfter(current: Promise<void> | undefined) {
    await current
    this.#current = this.#next
    this.#next = undefined
    try {
      for (let isMore = true; isMore; ) isMore = await this.#read()
    } catch (error) {
      this.missed(error)
    }
  }

  /** Reports that the log cannot be read. */
  protected missed(error: unknown) {
    for (const followers of this.#followers.values()) for (const follower of followers) follower.missed()
    this.#onError(error)
  }

  protected async tell(entry: NumberedEntry) {
    for (const follower of this.#followers.get(entry.topic) ?? []) {
      const pause = follower.changed(entry)
      if (pause !== undefined) await pause
    }
  }

  async #read(): Promise<boolean> {
    const { entries, isMore } = await changesAfter(this.#db, this.#seen)
    for (const entry of entries) {
      await this.tell(entry)
      this.#seen = entry.id
    }
    return isMore
  }
}
