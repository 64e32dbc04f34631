import type { Knex } from 'knex'
import type { NumberedEntry, Topic } from './log.ts'
import type { NewMessageRow } from './message-columns.ts'
import { MSG_TYPE } from './messages.ts'

/**
 * What a server has checked of a message or of its edit, recall or reaction, such as a membership or a block, has changed
 * between that check and the commit: nothing is stored. To be checked again.
 */
export class Outdated extends Error {
  constructor() {
    super('a change came between a check and the commit that relies on it')
    this.name = 'Outdated'
  }
}

/** `checkedUpTo` of a message that is not checked again: the only server of a database makes changes wait for messages. */
export const UNCHECKED = -1

/** Who writes where, and the number up to which that was checked. */
export type Check = Pick<NewMessageRow, 'checkedUpTo' | 'user_id' | 'target_id' | 'msg_type'>

/** Topics of changes that decide whether a message may be written. */
export const DECIDING: readonly Topic[] = ['user', 'group', 'relation']

/** The number up to which all of these messages were checked; undefined if none is checked again. */
export function checkedFrom(messages: readonly NewMessageRow[]): number | undefined {
  let from: number | undefined
  for (const { checkedUpTo } of messages)
    if (checkedUpTo !== UNCHECKED && (from === undefined || checkedUpTo < from)) from = checkedUpTo
  return from
}

/** Whether a message was checked before a change that decides whether it may be written, or to whom. */
export function isOutdated(row: Check, { id, topic, subject, target_id }: NumberedEntry): boolean {
  if (row.checkedUpTo === UNCHECKED || id <= row.checkedUpTo) return false
  const isGroup = row.msg_type === MSG_TYPE.group
  if (topic === 'user') return subject === row.user_id || (!isGroup && subject === row.target_id)
  if (topic === 'group') return isGroup && subject === row.target_id
  if (topic !== 'relation' || isGroup) return false
  return (
    (subject === row.user_id && target_id === row.target_id) || (subject === row.target_id && target_id === row.user_id)
  )
}

/** Subjects of the changes that decide on these messages: users and groups. */
export function subjectsOf(messages: readonly NewMessageRow[]): number[] {
  const subjects = new Set<number>()
  for (const { user_id, target_id } of messages) subjects.add(user_id).add(target_id)
  return [...subjects]
}

/**
 * Checks that nothing has changed which decides on a change of a message. To be called after `note`, in its transaction: the
 * row `head` is locked, so no entry comes between this and the commit.
 * @throws Outdated
 */
export async function refuseOutdated(trx: Knex.Transaction, check: Check) {
  if (check.checkedUpTo === UNCHECKED) return
  // With a lock: the snapshot of the transaction may be older than its lock of `head`.
  const entries: NumberedEntry[] = await trx('change_log')
    .where('id', '>', check.checkedUpTo)
    .whereIn('topic', DECIDING)
    .whereIn('subject', [check.user_id, check.target_id])
    .forShare()
  if (entries.some((entry) => isOutdated(check, entry))) throw new Outdated()
}
