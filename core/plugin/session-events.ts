import type { UserSession } from '../session/session.ts'
import { type Bus, SessionEnded, SessionStarted, UserOffline, UserOnline } from './events.ts'

/** The events of sessions and of their users, each start with one end. */
export class SessionEvents {
  readonly #bus: Bus
  readonly #started = new Set<UserSession>()
  /** Users announced as online and not yet as offline. */
  readonly #online = new Set<number>()

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** The reply to the login was queued. */
  started(session: UserSession) {
    if (!session.open) return
    this.#started.add(session)
    this.#bus.emit(SessionStarted.name, session)
    const { user } = session
    if (this.#online.has(user.id)) return
    this.#online.add(user.id)
    this.#bus.emit(UserOnline.name, user)
  }

  /** @param left sessions that the user still has */
  ended(session: UserSession, left: number) {
    // SessionEnded is emitted once for each SessionStarted.
    if (this.#started.delete(session)) this.#bus.emit(SessionEnded.name, session)
    if (left === 0 && this.#online.delete(session.user.id)) this.#bus.emit(UserOffline.name, session.user)
  }
}
