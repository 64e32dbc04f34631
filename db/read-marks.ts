import type { Knex } from 'knex'
import { transact } from './transaction.ts'

/** Rows changed in one go: others wait for them. */
const ROWS = 500

/**
 * Marks some messages as read whose reader's position is beyond them; false when there are none. A position moves with
 * each acknowledgement, and moving it changes one row; the messages themselves follow when there is time.
 */
export const markSome = (db: Knex): Promise<boolean> =>
  transact(db, async (trx) => {
    const pair = await trx('correspondence').whereRaw('marked_id < read_id').first()
    if (pair === undefined) return false
    const { reader_id, writer_id, marked_id, read_id } = pair
    const run = { target_id: reader_id, lane: writer_id, seq: null }
    const ids: number[] = await trx('chatmsg')
      .where(run)
      .where('id', '>', marked_id)
      .where('id', '<=', read_id)
      .orderBy('id')
      .limit(ROWS)
      .pluck('id')
    const upTo = ids.length < ROWS ? read_id : (ids.at(-1) as number)
    if (ids.length > 0)
      await trx('chatmsg').where(run).where('id', '>', marked_id).where('id', '<=', upTo).update({ isRead: 0 })
    await trx('correspondence').where({ reader_id, writer_id }).update({ marked_id: upTo })
    return true
  })
