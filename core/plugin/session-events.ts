import type { OtherNodesListener } from '../session/other-nodes.ts'
import type { Presence } from '../session/presence.ts'
import type { UserSession } from '../session/session.ts'
import type { User } from '../session/user.ts'
import { type Bus, SessionEnded, SessionStarted, UserOffline, UserOnline } from './events.ts'

/** The events of this node's sessions and of the cluster's users, each start with one end. */
export class SessionEvents implements OtherNodesListener {
  readonly #bus: Bus
  readonly #presence: Presence
  readonly #started = new Set<UserSession>()
  /** Users announced as online and not yet as offline. */
  readonly #online = new Set<number>()

  constructor(bus: Bus, presence: Presence) {
    this.#bus = bus
    this.#presence = presence
  }

  /** The reply to the login was queued. */
  started(session: UserSession) {
    if (!session.open) return
    this.#started.add(session)
    this.#bus.emit(SessionStarted.name, session)
    this.#cameOnline(session.user)
  }

  /** The session is none of its user any more. */
  ended(session: UserSession) {
    // SessionEnded is emitted once for each SessionStarted.
    if (this.#started.delete(session)) this.#bus.emit(SessionEnded.name, session)
    this.#mayBeOffline(session.user)
  }

  userChanged(user: User, hasSessions: boolean) {
    if (hasSessions) this.#cameOnline(user)
    else this.#mayBeOffline(user)
  }

  emit(name: string, payload: unknown) {
    this.#bus.emit(name, payload)
  }

  #cameOnline(user: User) {
    if (this.#online.has(user.id)) return
    this.#online.add(user.id)
    this.#bus.emit(UserOnline.name, user)
  }

  #mayBeOffline(user: User) {
    if (!this.#presence.isOnline(user.id) && this.#online.delete(user.id)) this.#bus.emit(UserOffline.name, user)
  }
}
