import { Refused } from './errors.ts'
import type { Limits } from './limits.ts'
import type { UserSession } from './session.ts'
import { TokenBucket } from './token-bucket.ts'

interface Entry {
  readonly sessions: Set<UserSession>
  readonly requests: TokenBucket
}

/** Bots and operators may send this many times the rate of a person. */
const MACHINE_RATE = 10

/** Who is here: the sessions of each user, and the request rate they share. */
export class Sessions {
  readonly #byUser = new Map<number, Entry>()
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** The user's sessions, in the order of their logins. */
  of(userId: number): ReadonlySet<UserSession> {
    return this.#byUser.get(userId)?.sessions ?? NONE
  }

  get users(): number {
    return this.#byUser.size
  }

  *[Symbol.iterator](): Generator<UserSession, void, void> {
    for (const { sessions } of this.#byUser.values()) yield* sessions
  }

  /** @throws Refused `too_many_sessions` */
  add(session: UserSession): TokenBucket {
    const { sessionsPerUser, requestRate, requestBurst } = this.#limits
    const { id, role } = session.user
    let entry = this.#byUser.get(id)
    if (entry === undefined) {
      const factor = role === 'bot' || session.isOperator ? MACHINE_RATE : 1
      const requests = new TokenBucket(requestRate * factor, requestBurst * factor, performance.now())
      entry = { sessions: new Set(), requests }
      this.#byUser.set(id, entry)
    }
    if (entry.sessions.size >= sessionsPerUser) throw new Refused('too_many_sessions')
    entry.sessions.add(session)
    return entry.requests
  }

  remove(session: UserSession) {
    const entry = this.#byUser.get(session.user.id)
    entry?.sessions.delete(session)
    if (entry?.sessions.size === 0) this.#byUser.delete(session.user.id)
  }
}

const NONE: ReadonlySet<UserSession> = new Set()
