import { Refused, type UserSession } from '../../core/index.ts'

/** Limits the unanswered requests of each session that hold content in memory. */
export class SessionWindow {
  readonly #limit: number
  readonly #open = new WeakMap<UserSession, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws Refused `too_many` */
  async within<T>(session: UserSession, work: () => Promise<T>): Promise<T> {
    const open = this.#open.get(session) ?? 0
    if (open >= this.#limit)
      throw new Refused('too_many', `at most ${this.#limit} of these requests may be unanswered; wait for a reply`)
    this.#open.set(session, open + 1)
    try {
      return await work()
    } finally {
      this.#open.set(session, (this.#open.get(session) ?? 1) - 1)
    }
  }
}
