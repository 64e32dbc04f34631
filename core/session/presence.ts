import type { RemoteUsers } from './remote-users.ts'
import type { Sessions } from './sessions.ts'

/** Which users are online: those with a session on any node. */
export class Presence {
  readonly #sessions: Sessions
  readonly #remote: RemoteUsers | undefined

  /** @param remote the users of other nodes, if there are any */
  constructor(sessions: Sessions, remote?: RemoteUsers) {
    this.#sessions = sessions
    this.#remote = remote
  }

  isOnline(userId: number): boolean {
    return this.isHere(userId) || this.#remote?.has(userId) === true
  }

  /** Whether the user has a session on this node. */
  isHere(userId: number): boolean {
    return this.#sessions.of(userId).size > 0
  }

  /** Whether this node has any session. */
  get isAnyoneHere(): boolean {
    return this.#sessions.users > 0
  }

  /** How many sessions a user has, on all nodes. */
  sessionsOf(userId: number): number {
    return this.#sessions.of(userId).size + (this.#remote?.sessionsOf(userId) ?? 0)
  }
}
