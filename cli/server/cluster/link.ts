import type { Logger } from 'pino'
import type { Clock, Cluster } from '../../../core/index.ts'

/** A node of a cluster, as its connection to the others needs it. */
export interface Self {
  readonly node: number
  /** Text that no other database has: what its nodes tell each other is heard by them only. */
  readonly room: string
  /** Ids of the other living nodes, at most a renewal of the lease old. */
  others(): readonly number[]
  readonly clock: Clock
  readonly log: Logger
}

/** What was counted since the start. */
export interface LinkFigures {
  readonly said: number
  readonly heard: number
  /** What could not be said or understood. */
  readonly lost: number
  /** Times after which something may have been missed. */
  readonly gaps: number
}

/** Connection of a node to the others. */
export interface ClusterLink {
  readonly cluster: Cluster
  readonly figures: LinkFigures
  /** What the node reaches the others through; undefined while it reaches none. */
  peer(): string | undefined
  close(): Promise<void>
}

/** How a server becomes a node of a cluster. */
export interface ClusterOptions {
  /** Shown to operators, at most 64 characters. */
  readonly name: string
  /** Does not wait for the other nodes: the server runs without them. */
  connect(self: Self): Promise<ClusterLink>
}
