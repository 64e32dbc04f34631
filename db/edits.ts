import type { Knex } from 'knex'
import { note } from './log.ts'
import { type Check, refuseOutdated } from './outdated.ts'
import { transact } from './transaction.ts'

/**
 * Replaces the text of a message and keeps the former one. False if the message is deleted.
 * @param revision.editedAt milliseconds since 1970 UTC
 * @throws Outdated
 */
export function editMessage(
  db: Knex,
  { id, text, editedAt }: { readonly id: number; readonly text: string; readonly editedAt: number },
  check: Check,
): Promise<boolean> {
  const edit = async (trx: Knex.Transaction): Promise<boolean> => {
    const row = await trx('chatmsg').where({ id, isActive: 1 }).forUpdate().first('msg', 'target_id', 'lane')
    if (row === undefined) return false
    // After a lost connection the whole work is repeated, and may have been committed.
    if (row.msg === text) return true
    await trx('message_former_text').insert({ message_id: id, msg: row.msg, replaced_at: editedAt })
    await trx('message_extra').insert({ message_id: id, edited_at: editedAt }).onConflict('message_id').merge()
    await trx('chatmsg').where({ id }).update({ msg: text })
    await note(trx, { topic: 'edit', subject: id, target_id: row.target_id, lane: row.lane })
    await refuseOutdated(trx, check)
    return true
  }
  return transact(db, edit)
}

/** The text that a message was sent with; undefined if it was never edited. */
export async function firstTextOf(db: Knex, id: number): Promise<string | undefined> {
  const row = await db('message_former_text').where({ message_id: id }).orderBy('id').first('msg')
  return row?.msg
}
