import type { Knex } from 'knex'

/**
 * Locks users until the end of the transaction. Every transaction takes its locks in one order, so that no two wait for
 * each other: accounts by number, then groups by number, then all other rows. What is counted or checked about a user
 * is changed under the lock of that user; what is counted or checked about a group, under the lock of the group.
 */
export async function lockUsers(trx: Knex.Transaction, ...userIds: readonly number[]): Promise<void> {
  await trx('userinfo').whereIn('id', userIds).orderBy('id').forUpdate().select('id')
}

/** Thrown in a transaction to undo it, because a condition does not hold. */
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
