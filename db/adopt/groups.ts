import type { Knex } from 'knex'
import { GROUP_LANE } from '../messages.ts'
import { flag, ROWS_PER_STATEMENT, type Step } from './context.ts'
import type { Finding } from './ledger.ts'
import { faultOf, substitute } from './names.ts'
import type { OriginalRows } from './original.ts'
import { copyPairs, type PairRow } from './pairs.ts'

export const groups: Step<OriginalRows['chatroom']> = {
  name: 'chatroom',
  pageSize: ROWS_PER_STATEMENT,
  count: ({ original }) => original.count('chatroom'),
  read: ({ original }, after, limit) => original.page('chatroom', after, limit),

  async write({ isLine }, trx, rows) {
    const findings: Finding[] = []
    for (const { id, chatroom_name, time, isActive } of rows) {
      const isTaken = async (name: string) =>
        (await trx('chatroom').where({ chatroom_name: name }).first('id')) !== undefined
      const fault = faultOf(chatroom_name, isLine) ?? ((await isTaken(chatroom_name)) ? 'it is taken' : undefined)
      let name = chatroom_name
      if (fault !== undefined) {
        name = substitute(chatroom_name, id, isLine)
        while (await isTaken(name)) name += '-'
        const detail = `${chatroom_name} -> ${name}`
        findings.push({ table: 'chatroom', id, outcome: 'changed', reason: `another name: ${fault}`, detail })
      }
      await trx('chatroom').insert({ id, chatroom_name: name, create_time: time, isActive: flag(isActive) })
    }
    return findings
  },
}

export const memberships: Step<PairRow> = {
  name: 'chatroom_user',
  pageSize: ROWS_PER_STATEMENT,
  count: ({ original }) => original.count('chatroom_user'),

  async read({ original }, after, limit) {
    const rows = await original.page('chatroom_user', after, limit)
    return rows.map(({ chatroom_id, user_id, ...row }) => ({ ...row, one: chatroom_id, other: user_id }))
  },

  write: (_context, trx, rows) =>
    copyPairs(
      trx,
      { table: 'chatroom_user', columns: ['chatroom_id', 'user_id'], ends: ['chatroom', 'userinfo'] },
      rows,
    ),
}

interface Group {
  readonly id: number
  readonly last_seq: number
  /** Its first unread message in the original, undefined if all were delivered. */
  readonly firstUnread: number | undefined
}

/** Data that the original did not store: owners of groups, and read positions of members. */
export const positions: Step<Group> = {
  name: 'chatroom, members',
  pageSize: ROWS_PER_STATEMENT,
  count: ({ original }) => original.count('chatroom'),

  async read({ target, original }, after, limit) {
    const rows = await target('chatroom').where('id', '>', after).orderBy('id').limit(limit).select('id', 'last_seq')
    const unread = rows.some(({ last_seq }) => last_seq > 0) ? await original.firstUnreadInGroups() : new Map()
    return rows.map(({ id, last_seq }) => ({ id, last_seq: Number(last_seq), firstUnread: unread.get(id) }))
  },

  async write(_context, trx, rows) {
    const findings: Finding[] = []
    for (const group of rows) {
      if (!(await setOwner(trx, group.id)))
        findings.push({ table: 'chatroom', id: group.id, outcome: 'noted', reason: 'has no members, so no owner' })
      if (group.last_seq > 0) await setPositions(trx, group)
    }
    return findings
  },
}

/** Picks the first member who can log in, otherwise the first: the creator of a group joins it first. */
async function setOwner(trx: Knex.Transaction, groupId: number): Promise<boolean> {
  const oldest = await trx('chatroom_user as m')
    .join('userinfo as u', 'u.id', 'm.user_id')
    .where({ 'm.chatroom_id': groupId, 'm.isActive': 1 })
    .orderBy([{ column: 'u.isActive', order: 'desc' }, { column: 'm.id' }])
    .first('m.id')
  if (oldest === undefined) return false
  await trx('chatroom_user').where({ id: oldest.id }).update({ role: 'owner' })
  return true
}

/**
 * Members see messages sent since they joined. The original has one read flag per message for all members: everything
 * from the first unread message on counts as unread, because a message delivered twice is better than a lost one.
 */
async function setPositions(trx: Knex.Transaction, { id, last_seq, firstUnread }: Group) {
  const lastSeq = async (restrict: (query: Knex.QueryBuilder) => unknown): Promise<number> => {
    const query = trx('chatmsg').where({ target_id: id, lane: GROUP_LANE })
    restrict(query)
    const [row] = await query.max({ seq: 'seq' })
    return Number(row?.seq ?? 0)
  }
  const read = firstUnread === undefined ? last_seq : await lastSeq((query) => query.where('id', '<', firstUnread))
  for (const { id: member, create_time } of await trx('chatroom_user').where({ chatroom_id: id })) {
    const joined = await lastSeq((query) => query.where('send_time', '<', create_time))
    await trx('chatroom_user')
      .where({ id: member })
      .update({ joined_seq: joined, read_seq: Math.max(joined, read) })
  }
}
