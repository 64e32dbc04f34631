import type { Knex } from 'knex'
import { lockUsers } from './locks.ts'
import { transact } from './transaction.ts'

/** What a user shows beside the names. A user without a row has set nothing. */
export interface ProfileRow {
  readonly user_id: number
  /** A JSON object of the clients; empty for none. */
  readonly avatar: string
  readonly about: string
  /** Milliseconds since 1970 UTC; ascends with each change. */
  readonly changed_at: number
}

/** User ids in one statement. */
const IDS_PER_STATEMENT = 500

/** Replaces a user's profile; returns the time of the change, which is above that of the one before. */
export const saveProfile = (
  db: Knex,
  userId: number,
  values: Pick<ProfileRow, 'avatar' | 'about'>,
  now: number,
): Promise<number> =>
  transact(db, async (trx) => {
    await lockUsers(trx, userId)
    const before = await trx<ProfileRow>('profile').where({ user_id: userId }).first('changed_at')
    const changed_at = Math.max(now, Number(before?.changed_at ?? 0) + 1)
    if (before === undefined) await trx('profile').insert({ user_id: userId, ...values, changed_at })
    else
      await trx('profile')
        .where({ user_id: userId })
        .update({ ...values, changed_at })
    return changed_at
  })

export const findProfiles = (db: Knex, userIds: readonly number[]): Promise<ProfileRow[]> =>
  db<ProfileRow>('profile').whereIn('user_id', userIds)

/** Times at which these users last changed their profiles; without those who never did. */
export async function profileTimes(db: Knex, userIds: readonly number[]): Promise<Map<number, number>> {
  const times = new Map<number, number>()
  for (let at = 0; at < userIds.length; at += IDS_PER_STATEMENT) {
    const rows = await db<ProfileRow>('profile')
      .whereIn('user_id', userIds.slice(at, at + IDS_PER_STATEMENT))
      .select('user_id', 'changed_at')
    for (const { user_id, changed_at } of rows) times.set(user_id, Number(changed_at))
  }
  return times
}
