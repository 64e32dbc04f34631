import { type Clock, FairSemaphore, retryPause, type Timer, type UserSession } from '../../core/index.ts'

/** Changes are pushed together after this pause: a busy conversation must not cost a query per message. */
const PUSH_PAUSE_MS = 200

/** Users whose changes are loaded at once: a change of a group has one push for each of its members. */
const FLUSHES_AT_ONCE = 2

/** Contacts of one user that have changed, by id. */
export interface Changes {
  readonly users: Set<number>
  readonly groups: Set<number>
}

interface Watch {
  readonly sessions: Set<UserSession>
  changes: Changes
  timer: Timer | undefined
  /** Failed pushes in a row. */
  failures: number
}

type Notify = (userId: number, sessions: Iterable<UserSession>, changes: Changes) => Promise<void>

const noChanges = (): Changes => ({ users: new Set(), groups: new Set() })

/** Sessions that watch their user's contact list, and the contacts that have changed since the last push. */
export class Watchers {
  readonly #byUser = new Map<number, Watch>()
  readonly #flushes = new FairSemaphore(FLUSHES_AT_ONCE)
  readonly #clock: Clock
  readonly #notify: Notify
  readonly #onError: (error: unknown) => void

  /** @param onError gets the first failure in a row of `notify`, which is retried */
  constructor(clock: Clock, notify: Notify, onError: (error: unknown) => void) {
    this.#clock = clock
    this.#notify = notify
    this.#onError = onError
  }

  get isEmpty(): boolean {
    return this.#byUser.size === 0
  }

  /** Adds a session, until it has closed. */
  add(session: UserSession) {
    const { id } = session.user
    const watch = this.#byUser.get(id) ?? { sessions: new Set(), changes: noChanges(), timer: undefined, failures: 0 }
    if (watch.sessions.has(session)) return
    watch.sessions.add(session)
    this.#byUser.set(id, watch)
    void session.closed.then(() => this.#remove(session))
  }

  #remove(session: UserSession) {
    const watch = this.#byUser.get(session.user.id)
    watch?.sessions.delete(session)
    if (watch?.sessions.size !== 0) return
    watch.timer?.cancel()
    this.#byUser.delete(session.user.id)
  }

  stop() {
    for (const { timer } of this.#byUser.values()) timer?.cancel()
    this.#byUser.clear()
  }

  /** A user has changed as a contact of another one. */
  userChanged(userId: number, otherId: number) {
    this.#byUser.get(userId)?.changes.users.add(otherId)
    this.#schedule(userId)
  }

  /** A group has changed as a contact of these users. */
  groupChanged(userIds: Iterable<number>, groupId: number) {
    if (this.#byUser.size === 0) return
    for (const userId of userIds) {
      this.#byUser.get(userId)?.changes.groups.add(groupId)
      this.#schedule(userId)
    }
  }

  #schedule(userId: number, pause = PUSH_PAUSE_MS) {
    const watch = this.#byUser.get(userId)
    if (watch === undefined || watch.timer !== undefined) return
    watch.timer = this.#clock.after(
      pause,
      () => void this.#flushes.run(String(userId), () => this.#flush(userId, watch)),
    )
  }

  async #flush(userId: number, watch: Watch) {
    // Its last session may have closed while it waited.
    if (this.#byUser.get(userId) !== watch) return
    const { changes } = watch
    watch.changes = noChanges()
    try {
      await this.#notify(userId, watch.sessions, changes)
      watch.failures = 0
    } catch (error) {
      // Pushed with the next changes.
      for (const id of changes.users) watch.changes.users.add(id)
      for (const id of changes.groups) watch.changes.groups.add(id)
      if (watch.failures++ === 0) this.#onError(error)
    }
    // Only now: the next read begins after this push, so pushes keep their order.
    watch.timer = undefined
    if (watch.changes.users.size + watch.changes.groups.size > 0)
      this.#schedule(userId, watch.failures === 0 ? PUSH_PAUSE_MS : retryPause(watch.failures))
  }
}
