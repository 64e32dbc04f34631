import type { Knex } from 'knex'

/** Longest delay of a statement, in turns of the event loop. */
const MAX_TURNS = 6

interface Client {
  acquireConnection(...given: unknown[]): Promise<unknown>
  _query(...given: unknown[]): Promise<unknown>
}

/**
 * Delays each statement by a random number of turns of the event loop, so that concurrent requests overtake each other
 * at every statement, without any clock.
 */
export class Jitter {
  /** Undefined: no delay. */
  random: (() => number) | undefined

  constructor(db: Knex) {
    // Each database has its own client class, also for transactions and the writer's connection.
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
