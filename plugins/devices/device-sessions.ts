import type { UserSession } from '../../core/index.ts'

/** The sessions that logged in with a device, for its revocation. */
export class DeviceSessions {
  readonly #byDevice = new Map<number, Set<UserSession>>()
  readonly #devices = new WeakMap<UserSession, number>()

  add(device: number, session: UserSession) {
    const sessions = this.#byDevice.get(device) ?? new Set()
    this.#byDevice.set(device, sessions.add(session))
    this.#devices.set(session, device)
    void session.closed.then(() => {
      sessions.delete(session)
      if (sessions.size === 0 && this.#byDevice.get(device) === sessions) this.#byDevice.delete(device)
    })
  }

  /** The device of a session; undefined if it logged in otherwise. */
  deviceOf(session: UserSession): number | undefined {
    return this.#devices.get(session)
  }

  count(device: number): number {
    return this.#byDevice.get(device)?.size ?? 0
  }

  /** Closes the sessions of a device; returns how many there were. */
  close(device: number): number {
    const sessions = [...(this.#byDevice.get(device) ?? [])]
    for (const session of sessions) session.close('logged_out')
    return sessions.length
  }
}
