import type { Knex } from 'knex'

/** Rows that a node works on. */
export interface Owned {
  /** Webhooks that it posts for. */
  readonly hooks: number
  /** Scheduled messages that it is sending. */
  readonly sending: number
}

/** What each node works on, those that have ended included: others take it over. */
export async function ownedByNodes(db: Knex): Promise<ReadonlyMap<number, Owned>> {
  const owned = new Map<number, Owned>()
  const add = async (rows: Knex.QueryBuilder, name: keyof Owned) => {
    for (const { owner, count } of await rows.groupBy('owner').select('owner', { count: db.raw('count(*)') })) {
      const others = owned.get(Number(owner)) ?? { hooks: 0, sending: 0 }
      owned.set(Number(owner), { ...others, [name]: Number(count) })
    }
  }
  await add(db('hook'), 'hooks')
  await add(db('scheduled').where({ state: 'sending' }), 'sending')
  return owned
}
