import type { Cluster } from '../cluster/cluster.ts'
import type { RemoteUsers } from './remote-users.ts'

interface RelayedEvent {
  readonly name: string
  readonly payload: unknown
}

export interface EventRelayParts {
  readonly cluster: Cluster
  readonly users: RemoteUsers
}

/** Events of plugins for the plugins of other nodes. They may be lost. */
export class EventRelay {
  readonly #parts: EventRelayParts

  constructor(parts: EventRelayParts) {
    this.#parts = parts
  }

  /** Hears the events of other nodes. Returns a function that ends it. */
  start(emit: (name: string, payload: unknown) => void): () => void {
    const { cluster } = this.#parts
    const heard = (event: unknown) => {
      const { name, payload } = event as RelayedEvent
      emit(name, payload)
    }
    const ends = [cluster.hear('event', heard), cluster.hear(topicOf(cluster.node), heard)]
    return () => {
      for (const end of ends) end()
    }
  }

  /** @param about users whom the event concerns: only nodes with a session of one of them are told; all if left out */
  say(name: string, payload: unknown, about?: Iterable<number>) {
    const { cluster, users } = this.#parts
    const event: RelayedEvent = { name, payload }
    if (about === undefined) return cluster.say('event', event)
    const nodes = new Set<number>()
    for (const id of about) for (const node of users.nodesOf(id)) nodes.add(node)
    for (const node of nodes) cluster.say(topicOf(node), event)
  }
}

const topicOf = (node: number) => `event.${node}`
