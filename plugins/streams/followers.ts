import type { UserSession } from '../../core/index.ts'

/** Sessions that asked for growing texts, by user. */
export class Followers {
  readonly #byUser = new Map<number, Set<UserSession>>()

  get isEmpty(): boolean {
    return this.#byUser.size === 0
  }

  of(userId: number): Iterable<UserSession> {
    return this.#byUser.get(userId) ?? []
  }

  add(session: UserSession) {
    const { id } = session.user
    const sessions = this.#byUser.get(id) ?? new Set()
    if (sessions.has(session)) return
    this.#byUser.set(id, sessions.add(session))
    void session.closed.then(() => this.remove(session))
  }

  remove(session: UserSession) {
    const sessions = this.#byUser.get(session.user.id)
    sessions?.delete(session)
    if (sessions?.size === 0) this.#byUser.delete(session.user.id)
  }
}
