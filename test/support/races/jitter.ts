import type { Knex } from 'knex'

/** Turns of the event loop that a statement is held up, at most. */
const MAX_TURNS = 6

interface Client {
  acquireConnection(...given: unknown[]): Promise<unknown>
  _query(...given: unknown[]): Promise<unknown>
}

/**
 * Holds up what a database is asked by a random number of turns of the event loop, so that requests under way at the
 * same time overtake each other at every statement, without any clock.
 */
export class Jitter {
  /** Nothing is held up while this is undefined. */
  random: (() => number) | undefined

  constructor(db: Knex) {
    // Each database is opened with a class of its own, of which transactions and the writer's connection are too.
    const client: Client = Object.getPrototypeOf(db.client)
    const { acquireConnection, _query } = client
    const rest = () => this.#rest()
    client.acquireConnection = async function (this: Client, ...given) {
      await rest()
      return acquireConnection.apply(this, given)
    }
    client._query = async function (this: Client, ...given) {
      await rest()
      return _query.apply(this, given)
    }
  }

  async #rest() {
    if (this.random === undefined) return
    for (let turns = Math.floor(this.random() * MAX_TURNS); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve))
  }
}
