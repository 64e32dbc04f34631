/** Answers of other nodes to a question. */
export interface Answers<T> {
  /** By node. */
  readonly answers: ReadonlyMap<number, T>
  /** Nodes that did not answer in time. */
  readonly silent: readonly number[]
}

/**
 * What the nodes of a cluster tell each other. All of it may be lost or come late: what must not be missed has a number in
 * the log of the database, and is read from there. Payloads are JSON.
 */
export interface Cluster {
  /** Id of this node, not used again after its end; 0 for a server without a cluster. */
  readonly node: number
  /** Tells all other nodes. */
  say(topic: string, payload: unknown): void
  /** Listens to the other nodes. Returns a function that ends it. */
  hear(topic: string, listener: (payload: unknown, from: number) => void): () => void
  /** Asks all other nodes. Never rejects: a node that fails or is not reached is silent. */
  ask<T>(topic: string, question: unknown): Promise<Answers<T>>
  /** Answers the questions of other nodes; a topic has one responder. Returns a function that ends it. */
  answer(topic: string, respond: (question: unknown, from: number) => unknown): () => void
  /** Calls the listener after something may have been lost, such as after a reconnect. Returns a function that ends it. */
  onGap(listener: () => void): () => void
}

/** A server without other nodes. */
export const ALONE: Cluster = {
  node: 0,
  say: () => {},
  hear: () => () => {},
  ask: async () => ({ answers: new Map(), silent: [] }),
  answer: () => () => {},
  onGap: () => () => {},
}
