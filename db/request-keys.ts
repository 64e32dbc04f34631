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

/** Gives a key back: nothing was done under it. Only that very row, not one of an earlier request under the same key. */
export async function deleteRequestKey(db: Knex, row: RequestKeyRow) {
  const { request_hash, asked_at } = row
  await db('request_key')
    .where({ ...keyOf(row), request_hash, asked_at })
    .whereNull('reply')
    .delete()
}

/** What is kept for a user. */
export interface RequestKeyUsage {
  keys: number
  /** Of all replies together. */
  bytes: number
}

export async function requestKeyUsage(db: Knex, userId: number): Promise<RequestKeyUsage> {
  const [row] = await db('request_key')
    .where({ user_id: userId })
    .select(db.raw('count(*) as number_of_keys, sum(length(reply)) as reply_bytes'))
  return { keys: Number(row?.number_of_keys ?? 0), bytes: Number(row?.reply_bytes ?? 0) }
}

/** Forgets a user's oldest keys until at least that much is gone; those of `except` stay. */
export async function deleteOldestRequestKeys(
  db: Knex,
  userId: number,
  { keys, bytes }: RequestKeyUsage,
  except: readonly string[],
) {
  let [keysLeft, bytesLeft] = [keys, bytes]
  while (keysLeft > 0 || bytesLeft > 0) {
    const rows: { request_key: string; reply_bytes: number | null }[] = await db('request_key')
      .where({ user_id: userId })
      .whereNotIn('request_key', [...except])
      .orderBy('asked_at')
      .limit(STEP)
      .select('request_key', db.raw('length(reply) as reply_bytes'))
    const gone: string[] = []
    for (const { request_key, reply_bytes } of rows) {
      if (keysLeft <= 0 && bytesLeft <= 0) break
      gone.push(request_key)
      keysLeft--
      bytesLeft -= reply_bytes ?? 0
    }
    if (gone.length === 0) return
    await db('request_key').where({ user_id: userId }).whereIn('request_key', gone).delete()
  }
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
