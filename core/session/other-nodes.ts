import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Catalogue } from '../wire/index.ts'
import { EventRelay } from './event-relay.ts'
import { PresenceReporter } from './presence-reporter.ts'
import { Relay } from './relay.ts'
import { RemoteUsers } from './remote-users.ts'
import type { Elsewhere, Sessions } from './sessions.ts'
import type { User } from './user.ts'

export interface OtherNodesParts {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly catalogue: Catalogue
  readonly log: Logger
}

export interface OtherNodesListener {
  /** A user has got the first session on another node, or lost the last one. */
  userChanged(user: User, hasSessions: boolean): void
  /** An event of another node. */
  emit(name: string, payload: unknown): void
}

/** Sessions on the other nodes of a cluster: who has some, and the way to them. */
export class OtherNodes implements Elsewhere {
  readonly users: RemoteUsers
  readonly relay: Relay
  readonly events: EventRelay
  readonly #parts: OtherNodesParts
  #reporter: PresenceReporter | undefined
  #ends: (() => void)[] = []

  constructor(parts: OtherNodesParts) {
    this.#parts = parts
    this.users = new RemoteUsers(parts)
    this.relay = new Relay({ ...parts, users: this.users })
    this.events = new EventRelay({ ...parts, users: this.users })
  }

  start(sessions: Sessions, listener: OtherNodesListener) {
    this.#reporter = new PresenceReporter({ ...this.#parts, sessions })
    this.#ends = [
      this.users.start((user, hasSessions) => listener.userChanged(user, hasSessions)),
      this.#reporter.start(),
      this.relay.start(),
      this.events.start((name, payload) => listener.emit(name, payload)),
    ]
  }

  stop() {
    for (const end of this.#ends.splice(0)) end()
    this.#reporter = undefined
  }

  certainSessionsOf(userId: number): number {
    return this.users.certainSessionsOf(userId)
  }

  changed(user: User) {
    this.#reporter?.changed(user)
  }
}
