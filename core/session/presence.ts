import type { Sessions } from './sessions.ts'

/** Which users are online: those with a session. */
export class Presence {
  readonly #sessions: Sessions

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  isOnline(userId: number): boolean {
    return this.#sessions.of(userId).size > 0
  }

  /** How many sessions a user has. */
  sessionsOf(userId: number): number {
    return this.#sessions.of(userId).size
  }
}
