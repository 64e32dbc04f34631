import type { Knex } from 'knex'
import { transact } from './transaction.ts'

/** Bounds how long one transaction holds its row locks. */
const ROWS_PER_TRANSACTION = 500

/**
 * Backfills `isRead` of one batch of messages from a read cursor that has passed them; false when no cursor is ahead of
 * its messages. An acknowledgement moves only the cursor, one row; the message rows follow when the writer is idle.
 */
export const backfillReadMarks = (db: Knex): Promise<boolean> =>
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
      .limit(ROWS_PER_TRANSACTION)
      .pluck('id')
    const upTo = ids.length < ROWS_PER_TRANSACTION ? read_id : (ids.at(-1) as number)
    if (ids.length > 0)
      await trx('chatmsg').where(run).where('id', '>', marked_id).where('id', '<=', upTo).update({ isRead: 0 })
    await trx('correspondence').where({ reader_id, writer_id }).update({ marked_id: upTo })
    return true
  })
