import type { Clock, Timer, UserSession } from '../../core/index.ts'

/** Changes of a list are told together, at most so often; a lively conversation must not cost a query a message. */
const TELL_MS = 200
/** Longest pause between two attempts while the database is away. */
const LAST_PAUSE_MS = 5000

/** Contacts of one user, by number. */
export interface Dirty {
  readonly users: Set<number>
  readonly groups: Set<number>
}

interface Watch {
  readonly sessions: Set<UserSession>
  dirty: Dirty
  timer: Timer | undefined
  /** Lists in a row that could not be read. */
  failures: number
}

const clean = (): Dirty => ({ users: new Set(), groups: new Set() })

/** Who wants to hear of changes of their contact list, and what has changed since they were last told. */
export class Watchers {
  readonly #byUser = new Map<number, Watch>()
  readonly #clock: Clock
  readonly #tell: (userId: number, sessions: Iterable<UserSession>, dirty: Dirty) => Promise<void>
  readonly #onError: (error: unknown) => void

  constructor(
    clock: Clock,
    tell: (userId: number, sessions: Iterable<UserSession>, dirty: Dirty) => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    this.#clock = clock
    this.#tell = tell
    this.#onError = onError
  }

  add(session: UserSession) {
    const { id } = session.user
    const watch = this.#byUser.get(id) ?? { sessions: new Set(), dirty: clean(), timer: undefined, failures: 0 }
    watch.sessions.add(session)
    this.#byUser.set(id, watch)
  }

  remove(session: UserSession) {
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

  /** The conversation with another user looks different to this one. */
  user(userId: number, otherId: number) {
    this.#byUser.get(userId)?.dirty.users.add(otherId)
    this.#wake(userId)
  }

  group(userIds: Iterable<number>, groupId: number) {
    if (this.#byUser.size === 0) return
    for (const userId of userIds) {
      this.#byUser.get(userId)?.dirty.groups.add(groupId)
      this.#wake(userId)
    }
  }

  #wake(userId: number, pause = TELL_MS) {
    const watch = this.#byUser.get(userId)
    if (watch === undefined || watch.timer !== undefined) return
    watch.timer = this.#clock.after(pause, () => void this.#flush(userId, watch))
  }

  async #flush(userId: number, watch: Watch) {
    const { dirty } = watch
    watch.dirty = clean()
    try {
      await this.#tell(userId, watch.sessions, dirty)
      watch.failures = 0
    } catch (error) {
      // Told with the next list: while the database is away, nothing is forgotten.
      for (const id of dirty.users) watch.dirty.users.add(id)
      for (const id of dirty.groups) watch.dirty.groups.add(id)
      if (watch.failures++ === 0) this.#onError(error)
    }
    // Only now: the next list is read after this one was told, so none is told out of order.
    watch.timer = undefined
    if (watch.dirty.users.size + watch.dirty.groups.size > 0)
      this.#wake(userId, Math.min(TELL_MS * 2 ** watch.failures, LAST_PAUSE_MS))
  }
}
