import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import type { ContentColumns } from './message-columns.ts'
import { isDuplicate, transact } from './transaction.ts'

/** A message that is to be sent at a set time; its text is empty once it is sent. Times in milliseconds since 1970 UTC. */
export interface ScheduledRow extends ContentColumns {
  readonly id: number
  readonly user_id: number
  readonly target_id: number
  /** 1 if the target is a group. */
  readonly is_group: number
  readonly client_id: string
  /** Hash of the text, kept when the text is gone. Null in rows older than this column. */
  readonly text_hash: string | null
  readonly hops: number
  /** Id of the message that this one answers; 0: none. */
  readonly reply_to: number
  /** Id of its file; 0: none. */
  readonly file_id: number
  readonly made_at: number
  readonly due_at: number
  readonly next_at: number
  /** `sending` after a crash means that it may have been sent: it is sent again, with the same client id. */
  readonly state: 'waiting' | 'sending' | 'sent' | 'failed' | 'cancelled'
  readonly reason: string
  /** 0 until it is sent. */
  readonly message_id: number
  readonly done_at: number
  /** The node that sends it, or has sent it. */
  readonly owner: number
}

export type NewScheduledRow = Omit<
  ScheduledRow,
  'id' | 'next_at' | 'state' | 'reason' | 'message_id' | 'done_at' | 'owner'
>

/** Limits how long one DELETE holds the event loop or its locks. */
const ROWS_PER_DELETE = 1000

/** States of messages that are still to be sent. */
const OPEN = ['waiting', 'sending']

/**
 * Stores a message, or finds the one with the same user and client id. Open messages are counted under the user's lock, so
 * there are never more than `limit`: undefined if there would be.
 */
export async function insertScheduled(
  db: Knex,
  row: NewScheduledRow,
  limit: number,
): Promise<{ row: ScheduledRow; repeat: boolean } | undefined> {
  const { client_id, user_id } = row
  const store = async (trx: Knex.Transaction): Promise<ScheduledRow | undefined> => {
    await lockUsers(trx, user_id)
    if ((await countRows(trx('scheduled').where({ user_id }).whereIn('state', OPEN))) >= limit) return undefined
    await trx('scheduled').insert({ ...row, next_at: row.due_at, state: 'waiting' })
    // In the transaction: once it is committed, nothing may fail.
    return findScheduled(trx, { client_id, user_id })
  }
  try {
    const stored = await transact(db, store, { repeatable: false })
    return stored && { row: stored, repeat: false }
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const stored = await findScheduled(db, { client_id, user_id })
  if (stored === undefined) throw new Error('a scheduled message has disappeared after it was stored')
  return { row: stored, repeat: true }
}

export const findScheduled = (
  db: Knex,
  key: Pick<ScheduledRow, 'client_id' | 'user_id'>,
): Promise<ScheduledRow | undefined> => db<ScheduledRow>('scheduled').where(key).first()

/** Messages of one user, oldest first. */
export const scheduledOf = (
  db: Knex,
  userId: number,
  { after, limit, all }: { after: number; limit: number; all: boolean },
): Promise<ScheduledRow[]> =>
  db<ScheduledRow>('scheduled')
    .where({ user_id: userId })
    .where('id', '>', after)
    .where((state) => (all ? undefined : void state.whereIn('state', OPEN)))
    .orderBy('id')
    .limit(limit)

/** The time of the next message; undefined if none waits. */
export async function nextScheduled(db: Knex): Promise<number | undefined> {
  const row = await db<ScheduledRow>('scheduled').where({ state: 'waiting' }).orderBy('next_at').first('next_at')
  return row?.next_at
}

/** Takes the message that has been due for the longest for a node. From now on it cannot be cancelled. */
export async function takeDue(db: Knex, now: number, node: number): Promise<ScheduledRow | undefined> {
  for (;;) {
    const row = await db<ScheduledRow>('scheduled')
      .where({ state: 'waiting' })
      .where('next_at', '<=', now)
      .orderBy([{ column: 'next_at' }, { column: 'id' }])
      .first()
    if (row === undefined) return undefined
    const taken = await db<ScheduledRow>('scheduled')
      .where({ id: row.id, state: 'waiting' })
      .update({ state: 'sending', owner: node })
    if (taken > 0) return { ...row, owner: node }
  }
}

/** Stores the outcome of a message that was taken, unless another node has taken it since. */
export async function settleScheduled(
  db: Knex,
  { id, owner }: Pick<ScheduledRow, 'id' | 'owner'>,
  outcome: Partial<Pick<ScheduledRow, 'state' | 'reason' | 'message_id' | 'next_at' | 'done_at' | 'msg'>>,
) {
  await db<ScheduledRow>('scheduled').where({ id, state: 'sending', owner }).update(outcome)
}

/** False if the message is another user's, is being sent or is done. */
export async function cancelScheduled(db: Knex, userId: number, id: number, now: number): Promise<boolean> {
  const cancelled = await db<ScheduledRow>('scheduled')
    .where({ id, user_id: userId, state: 'waiting' })
    .update({ state: 'cancelled', done_at: now, msg: '' })
  return cancelled > 0
}

/**
 * Makes messages wait again that were being sent when their node ended, or when it failed.
 * @param node sends nothing now
 * @param living ids of the nodes that are alive; without it, there is no other node
 */
export async function resumeScheduled(db: Knex, node: number, living?: Knex.QueryBuilder) {
  const interrupted = db<ScheduledRow>('scheduled').where({ state: 'sending' })
  if (living !== undefined)
    interrupted.where((owner) => {
      owner.where({ owner: node }).orWhereNotIn('owner', living)
    })
  await interrupted.update({ state: 'waiting' })
}

/** Deletes messages that were done before a time, in slices, until none is left or the signal is aborted. */
export async function forgetScheduled(db: Knex, before: number, signal: AbortSignal) {
  while (!signal.aborted) {
    const ids: number[] = await db('scheduled')
      // 0 while a message is open.
      .where('done_at', '>', 0)
      .where('done_at', '<', before)
      .limit(ROWS_PER_DELETE)
      .pluck('id')
    if (ids.length === 0) return
    await db('scheduled').whereIn('id', ids).delete()
  }
}
