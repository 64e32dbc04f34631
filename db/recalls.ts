import type { Knex } from 'knex'
import { groupsSeen } from './groups.ts'
import { note } from './log.ts'
import type { MessageRow } from './message-columns.ts'
import { GROUP_LANE } from './messages.ts'
import { type Check, refuseOutdated } from './outdated.ts'
import { asking, type Select, selectForEach } from './selects.ts'
import { transact } from './transaction.ts'

/** Deletes a message logically: the row stays, so its client id stays used. False if it was deleted already. @throws Outdated */
export async function deleteMessage(
  db: Knex,
  { id, target_id, lane }: Pick<MessageRow, 'id' | 'target_id' | 'lane'>,
  check: Check,
): Promise<boolean> {
  const remove = async (trx: Knex.Transaction) => {
    if ((await trx('chatmsg').where({ id, isActive: 1 }).update({ isActive: 0 })) === 0) return false
    await note(trx, { topic: 'recall', subject: id, target_id, lane })
    await refuseOutdated(trx, check)
    return true
  }
  return transact(db, remove, { repeatable: false })
}

/** The recall or edit of a message, or a change of its reactions. */
export interface MessageChange {
  /** Number in the log. */
  readonly id: number
  readonly topic: 'recall' | 'edit' | 'reaction'
  /** Id of the message. */
  readonly subject: number
}

/** Changes of messages in a user's conversations, with numbers above `after`, ascending. */
export async function messageChangesFor(
  db: Knex,
  userId: number,
  { after, limit }: { after: number; limit: number },
): Promise<MessageChange[]> {
  const groups = await groupsSeen(db, userId)
  const wheres: Select[] = [
    ['target_id = ? and lane > 0', [userId]],
    ['lane = ? and target_id <> lane', [userId]],
    ...groups.map(({ id }): Select => ['target_id = ? and lane = ?', [id, GROUP_LANE]]),
  ]
  const rows = await selectForEach(asking(db), wheres, ([where, values]) => [
    `select id, topic, subject from change_log
       where ${where} and topic in ('recall', 'edit', 'reaction') and id > ? order by id limit ?`,
    [...values, after, limit],
  ])
  return (rows as MessageChange[]).sort((a, b) => a.id - b.id).slice(0, limit)
}
