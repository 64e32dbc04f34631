import type { Knex } from 'knex'
import { isDuplicate } from './transaction.ts'

/** A request that is, or was, carried out under a key of its user. */
export interface RequestKeyRow {
  readonly user_id: number
  readonly request_key: string
  /** Tells another request under the same key. */
  readonly request_hash: string
  /** Null while it is carried out, or where that was cut short. */
  readonly reply: Buffer | null
  readonly asked_at: number
}

/** Rows deleted at once, so that others need not wait long. */
const STEP = 1000

const keyOf = ({ user_id, request_key }: Pick<RequestKeyRow, 'user_id' | 'request_key'>) => ({ user_id, request_key })

/** Takes a key. False when it is taken. */
export async function insertRequestKey(db: Knex, row: RequestKeyRow): Promise<boolean> {
  try {
    await db('request_key').insert(row)
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

export const findRequestKey = (db: Knex, userId: number, key: string): Promise<RequestKeyRow | undefined> =>
  db<RequestKeyRow>('request_key').where({ user_id: userId, request_key: key }).first()

export async function setReply(db: Knex, row: RequestKeyRow, reply: Buffer) {
  await db('request_key').where(keyOf(row)).update({ reply })
}

/** Gives a key back: nothing was done under it. */
export async function deleteRequestKey(db: Knex, row: RequestKeyRow) {
  await db('request_key').where(keyOf(row)).delete()
}

/** Forgets keys that were taken before a time. */
export async function deleteRequestKeysBefore(db: Knex, time: number) {
  for (;;) {
    const rows: RequestKeyRow[] = await db('request_key')
      .where('asked_at', '<', time)
      .limit(STEP)
      .select('user_id', 'request_key')
    if (rows.length === 0) return
    await db('request_key')
      .whereIn(
        ['user_id', 'request_key'],
        rows.map(({ user_id, request_key }) => [user_id, request_key]),
      )
      .delete()
  }
}
