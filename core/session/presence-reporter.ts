import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { PresenceReport, PresenceRequest, UserSessions } from './remote-users.ts'
import type { Sessions } from './sessions.ts'
import type { User } from './user.ts'

/** Changes within it are reported together. */
const PAUSE_MS = 100
/** A node that has nothing to report tells that it lives. */
const BEAT_MS = 1000
/** Users in one report. */
const PAGE = 1000

export interface PresenceReporterParts {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly sessions: Sessions
}

/** Tells the other nodes which users have sessions on this one: changes, and a list of all on request. */
export class PresenceReporter {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #sessions: Sessions
  /** Users whose number of sessions may have changed since the last report. */
  readonly #changed = new Map<number, User>()
  #lastNumber = 0
  #reportedAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #isListWanted = false
  #isListing = false

  constructor({ cluster, clock, sessions }: PresenceReporterParts) {
    this.#cluster = cluster
    this.#clock = clock
    this.#sessions = sessions
  }

  /** Reports from now on. Returns a function that ends it, with a last report. */
  start(): () => void {
    this.#say({ users: [], begins: true, ends: true })
    const beat = this.#clock.every(BEAT_MS, () => this.#report({ isBeat: true })).unref()
    const unhear = this.#cluster.hear('presence.wanted', (request) => {
      const { node } = request as PresenceRequest
      if (node !== 0 && node !== this.#cluster.node) return
      this.#isListWanted = true
      this.#schedule()
    })
    return () => {
      unhear()
      beat.cancel()
      this.#timer?.cancel()
      this.#isListWanted = false
      this.#report()
    }
  }

  /** A session of the user has begun or ended. */
  changed(user: User) {
    this.#changed.set(user.id, user)
    this.#schedule()
  }

  /** The first change after a pause is reported at once. */
  #schedule() {
    if (this.#timer !== undefined) return
    const wait = this.#reportedAt + PAUSE_MS - this.#clock.now()
    if (wait <= 0) return this.#report()
    this.#timer = this.#clock.after(wait, () => this.#report()).unref()
  }

  #report({ isBeat = false } = {}) {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#reportedAt = this.#clock.now()
    const changed = [...this.#changed.values()]
    this.#changed.clear()
    for (let at = 0; at < changed.length; at += PAGE)
      this.#say({ users: changed.slice(at, at + PAGE).map((user) => this.#entry(user)) })
    if (isBeat && changed.length === 0) this.#say({ users: [] })
    if (this.#isListWanted && !this.#isListing) void this.#list()
  }

  /** Reports all users, a page at a time. Changes in between are reported as ever: each report tells the present state. */
  async #list() {
    this.#isListWanted = false
    this.#isListing = true
    let page: UserSessions[] = []
    let begins = true
    for (const id of this.#sessions.userIds()) {
      const [session] = this.#sessions.of(id)
      if (session !== undefined) page.push(this.#entry(session.user))
      if (page.length < PAGE) continue
      this.#say({ users: page, begins })
      page = []
      begins = false
      await nextTurn()
    }
    this.#say({ users: page, begins, ends: true })
    this.#isListing = false
    if (this.#isListWanted) this.#schedule()
  }

  #entry({ id, name, nickname, role }: User): UserSessions {
    return [this.#sessions.of(id).size, id, name, nickname, role]
  }

  #say(report: Omit<PresenceReport, 'number'>) {
    this.#cluster.say('presence', { number: ++this.#lastNumber, ...report })
  }
}
