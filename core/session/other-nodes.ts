import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Catalogue } from '../wire/index.ts'
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

/** Sessions on the other nodes of a cluster: who has some, and the way to them. */
export class OtherNodes implements Elsewhere {
  readonly users: RemoteUsers
  readonly relay: Relay
  readonly #parts: OtherNodesParts
  #reporter: PresenceReporter | undefined
  #ends: (() => void)[] = []

  constructor(parts: OtherNodesParts) {
    this.#parts = parts
    this.users = new RemoteUsers(parts)
    this.relay = new Relay({ ...parts, users: this.users })
  }

  /** @param onChange see RemoteUsers */
  start(sessions: Sessions, onChange: (user: User, hasSessions: boolean) => void) {
    this.#reporter = new PresenceReporter({ ...this.#parts, sessions })
    this.#ends = [this.users.start(onChange), this.#reporter.start(), this.relay.start()]
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
