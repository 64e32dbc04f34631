import type { Clock } from '../clock.ts'
import { FairSemaphore } from '../flow/fair-semaphore.ts'
import type { Presence } from './presence.ts'
import type { User } from './user.ts'

/** Minimum time between two announcements about one user. */
const MIN_PAUSE_MS = 2000
/** Announcements at once: when a node of a cluster dies, all its users go offline, and each costs queries. */
const ANNOUNCEMENTS_AT_ONCE = 8

export interface PresenceThrottleParts {
  readonly clock: Clock
  readonly presence: Presence
  /** Pushes about one user per second, on the long average. */
  readonly rate: number
  /** Announces that a user came online or went offline; resolves with the number of pushes. Must not reject. */
  announce(user: User, online: boolean): Promise<number>
}

/**
 * Announces presence changes at a bounded rate. The first change of a user is announced at once. During the pause that
 * follows, 2 s or as long as the pushes take at the allowed rate, further changes are coalesced: the state at its end is
 * announced once, if it differs. So logging in and out over and over costs little, however many contacts are notified.
 */
export class PresenceThrottle {
  readonly #parts: PresenceThrottleParts
  /** Users last announced as online. */
  readonly #announcedOnline = new Set<number>()
  /** Users whose changes are coalesced for now. */
  readonly #paused = new Set<number>()
  readonly #turns = new FairSemaphore(ANNOUNCEMENTS_AT_ONCE)
  #stopped = false

  constructor(parts: PresenceThrottleParts) {
    this.#parts = parts
  }

  /** A user came online or went offline. */
  changed(user: User) {
    if (!this.#paused.has(user.id)) void this.#announce(user)
  }

  stop() {
    this.#stopped = true
  }

  async #announce(user: User) {
    const { clock, presence, rate, announce } = this.#parts
    const online = presence.isOnline(user.id)
    if (this.#stopped || online === this.#announcedOnline.has(user.id)) return
    if (online) this.#announcedOnline.add(user.id)
    else this.#announcedOnline.delete(user.id)
    this.#paused.add(user.id)
    // Without a session on this node there is nobody to tell.
    const pushes = presence.isAnyoneHere ? await this.#turns.run(user.name, () => announce(user, online)) : 0
    const resume = () => {
      this.#paused.delete(user.id)
      void this.#announce(user)
    }
    clock.after(Math.max(MIN_PAUSE_MS, (pushes / rate) * 1000), resume).unref()
  }
}
