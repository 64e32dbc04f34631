import { LRUCache } from 'lru-cache'

/** Whom a user knows, as far as the message path must know it. */
export interface Circle {
  /** Friends, and since when. */
  readonly friends: ReadonlyMap<number, number>
  readonly blocked: ReadonlySet<number>
}

/** Circles kept in memory. */
const CACHED = 20_000

/** Keeps circles in memory, so that a message costs no query; a change forgets both ends. */
export class Circles {
  readonly #load: (userId: number) => Promise<Circle>
  readonly #known = new LRUCache<number, Circle>({ max: CACHED })
  readonly #loading = new Map<number, Promise<Circle>>()

  constructor(load: (userId: number) => Promise<Circle>) {
    this.#load = load
  }

  /** At once when it is in memory. */
  of(userId: number): Circle | Promise<Circle> {
    return this.#known.get(userId) ?? this.#loading.get(userId) ?? this.#fetch(userId)
  }

  forget(...userIds: number[]) {
    for (const id of userIds) {
      this.#known.delete(id)
      // What is being read now may be older than the change.
      this.#loading.delete(id)
    }
  }

  #fetch(userId: number): Promise<Circle> {
    const loading = this.#load(userId).then((circle) => {
      if (this.#loading.get(userId) === loading) this.#known.set(userId, circle)
      return circle
    })
    this.#loading.set(userId, loading)
    const done = () => {
      if (this.#loading.get(userId) === loading) this.#loading.delete(userId)
    }
    loading.then(done, done)
    return loading
  }
}
