import { lruCache } from '../../core/index.ts'
import type { Follower, LogEntry } from '../../db/index.ts'
import { type Account, SYSTEM } from './account.ts'

/** The path of a message must not query the database for its sender and recipient. */
const CACHE_ENTRIES = 20_000

type Found = Account | undefined

/**
 * Accounts in memory, by id, by name and by requested spelling. Entries do not expire: the cache follows the log. A read that
 * began before a change is neither cached nor shared with later callers. Names without an account are not cached.
 */
export class AccountCache implements Follower {
  readonly #byName = lruCache<string, Account>(CACHE_ENTRIES, { dispose: ({ id }) => this.#byId.delete(id) })
  /** The accounts in `#byName`. */
  readonly #byId = new Map<number, Account>()
  /** Requested spelling → name of the account: an adopted database may hold "Bob" beside "bob". */
  readonly #spellings = lruCache<string, string>(CACHE_ENTRIES)
  /** Reads in flight, by requested spelling. */
  readonly #loading = new Map<string, Promise<Found>>()
  readonly #read: (name: string) => Promise<Found>
  #version = 0

  /** @param read reads the account of a name from the database */
  constructor(read: (name: string) => Promise<Found>) {
    this.#read = read
  }

  /** Grows with each change of an account. Take it before a read and pass it to `put` afterwards. */
  get version(): number {
    return this.#version
  }

  byId(id: number): Found {
    const account = this.#byId.get(id)
    // Counts as a use there.
    return account && this.#byName.get(account.name)
  }

  /**
   * The account of a name, synchronously when cached. Callers that come while it is being read share the read and
   * continue in the order of their calls.
   */
  named(name: string): Found | Promise<Found> {
    return (
      this.#byName.get(name) ??
      this.#byName.get(this.#spellings.get(name) ?? '') ??
      this.#loading.get(name) ??
      this.#load(name)
    )
  }

  /** Caches an account that was read at `version`, unless an account has changed since. */
  put(account: Account, version: number): Account {
    if (version !== this.#version) return account
    this.#byName.set(account.name, account)
    this.#byId.set(account.id, account)
    return account
  }

  /** An account was added or changed: its entry and all reads in flight are stale. */
  changed({ subject }: LogEntry) {
    this.#version++
    this.#loading.clear()
    const account = this.#byId.get(subject)
    if (account !== undefined) this.#byName.delete(account.name)
  }

  missed() {
    this.#version++
    this.#loading.clear()
    this.#byName.clear()
  }

  #load(name: string): Promise<Found> {
    const loading = this.#fetch(name)
    this.#loading.set(name, loading)
    const loaded = () => {
      if (this.#loading.get(name) === loading) this.#loading.delete(name)
    }
    loading.then(loaded, loaded)
    return loading
  }

  async #fetch(name: string): Promise<Found> {
    const version = this.#version
    const account = await this.#read(name)
    if (account === undefined || account === SYSTEM) return account
    if (account.name !== name) this.#spellings.set(name, account.name)
    return this.put(account, version)
  }
}
