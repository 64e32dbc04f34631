import type { UserSession } from '../../core/index.ts'

/** The sessions of this node that logged in with a device, for its revocation. */
export class DeviceSessions {
  /** By user and device. */
  readonly #byUser = new Map<number, Map<number, Set<UserSession>>>()
  readonly #devices = new WeakMap<UserSession, number>()

  add(device: number, session: UserSession) {
    const { id: userId } = session.user
    const ofUser = this.#byUser.get(userId) ?? new Map<number, Set<UserSession>>()
    const sessions = ofUser.get(device) ?? new Set()
    this.#byUser.set(userId, ofUser.set(device, sessions.add(session)))
    this.#devices.set(session, device)
    void session.closed.then(() => {
      sessions.delete(session)
      if (sessions.size === 0 && ofUser.get(device) === sessions) ofUser.delete(device)
      if (ofUser.size === 0 && this.#byUser.get(userId) === ofUser) this.#byUser.delete(userId)
    })
  }

  /** The device of a session; undefined if it logged in otherwise. */
  deviceOf(session: UserSession): number | undefined {
    return this.#devices.get(session)
  }

  /** Devices of a user that have sessions, with their number. */
  countsOf(userId: number): [device: number, sessions: number][] {
    return [...(this.#byUser.get(userId) ?? [])].map(([device, { size }]) => [device, size])
  }

  /** Closes the sessions of a device; returns how many there were. */
  close(userId: number, device: number): number {
    const sessions = [...(this.#byUser.get(userId)?.get(device) ?? [])]
    for (const session of sessions) session.close('logged_out')
    return sessions.length
  }
}
