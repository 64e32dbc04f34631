import { ROWS_PER_STATEMENT, type Step } from './context.ts'
import type { Finding } from './ledger.ts'
import { copyPairs, type PairRow } from './pairs.ts'

/** Friendships, each direction as it is. */
export const friendships: Step<PairRow> = {
  name: 'userfriend',
  pageSize: ROWS_PER_STATEMENT,
  count: ({ original }) => original.count('userfriend'),

  async read({ original }, after, limit) {
    const rows = await original.page('userfriend', after, limit)
    return rows.map(({ user_id, friend_id, ...row }) => ({ ...row, one: user_id, other: friend_id }))
  },

  async write(_context, trx, rows) {
    const selfFriendships = rows.filter(({ one, other }) => one === other)
    const findings = await copyPairs(
      trx,
      { table: 'userfriend', columns: ['user_id', 'friend_id'], ends: ['userinfo', 'userinfo'] },
      rows.filter(({ one, other }) => one !== other),
    )
    const refused = selfFriendships.map(
      ({ id, one }): Finding => ({
        table: 'userfriend',
        id,
        outcome: 'refused',
        reason: 'a friend of oneself',
        detail: `user_id ${one}`,
      }),
    )
    return [...findings, ...refused]
  },
}

type Half = PairRow & { readonly back: number | null }

/**
 * Makes the two directions of each friendship agree. A missing direction was lost, and is added. A deleted one means that
 * a user ended the friendship, so the other direction is deleted too.
 */
export const otherHalves: Step<Half> = {
  name: 'userfriend, both halves',
  pageSize: ROWS_PER_STATEMENT,
  count: ({ original }) => original.count('userfriend'),

  read: ({ target }, after, limit) =>
    target('userfriend as f')
      .leftJoin('userfriend as b', (join) => join.on('b.user_id', 'f.friend_id').andOn('b.friend_id', 'f.user_id'))
      .where('f.id', '>', after)
      .where({ 'f.isActive': 1 })
      .where((either) => void either.whereNull('b.id').orWhere({ 'b.isActive': 0 }))
      .orderBy('f.id')
      .limit(limit)
      .select('f.id', { one: 'f.user_id', other: 'f.friend_id', time: 'f.add_time', back: 'b.id' }, 'f.isActive'),

  async write(_context, trx, rows) {
    const findings: Finding[] = []
    for (const { id, one, other, time, back } of rows) {
      if (back !== null) {
        await trx('userfriend').where({ id }).update({ isActive: 0 })
        const detail = `${one} and ${other}, see ${back}`
        findings.push({ table: 'userfriend', id, outcome: 'changed', reason: 'ended by the other user', detail })
        continue
      }
      const half = { user_id: other, friend_id: one, add_time: time, isActive: 1 }
      const [added = 0] = await trx('userfriend').insert(half)
      const detail = `${other} and ${one}, for ${id}`
      findings.push({ table: 'userfriend', id: added, outcome: 'added', reason: 'the other half was missing', detail })
    }
    return findings
  },
}
