import type { Knex } from 'knex'

/**
 * Locks user rows until the end of the transaction. Lock order, which prevents deadlocks: users by id, then groups by id,
 * then all other rows. Whatever a transaction counts or checks about a user changes only under that user's lock; about a
 * group, only under the group's lock.
 */
export async function lockUsers(trx: Knex.Transaction, ...userIds: readonly number[]): Promise<void> {
  await trx('userinfo').whereIn('id', userIds).orderBy('id').forUpdate().select('id')
}

/** Thrown in a transaction to roll it back when a precondition does not hold. */
export class Conflict<Reason extends string> extends Error {
  readonly reason: Reason

  constructor(reason: Reason) {
    super(reason)
    this.name = 'Conflict'
    this.reason = reason
  }
}

export async function countRows(query: Knex.QueryBuilder): Promise<number> {
  const [row] = await query.count({ count: '*' })
  return Number(row?.count)
}
