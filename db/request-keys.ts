import type { Knex } from 'knex'
import { isDuplicate } from './transaction.ts'

/** A request executed under an idempotency key of its user. */
export interface RequestKeyRow {
  readonly user_id: number
  readonly request_key: string
  /** Detects a different request under the same key. */
  readonly request_hash: string
  /** Null while the request is in flight, or if the server ended before its reply. */
  readonly reply: Buffer | null
  readonly asked_at: number
  /** The node that has the request in flight, or had it. */
  readonly owner: number
}

/** Limits how long one DELETE holds its locks. */
const ROWS_PER_DELETE = 1000
/** Limits how long one statement that counts holds the event loop. */
const ROWS_PER_COUNT = 2000

const keyOf = ({ user_id, request_key }: Pick<RequestKeyRow, 'user_id' | 'request_key'>) => ({ user_id, request_key })

/** Reserves a key; false when it exists. */
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

/** Releases a key whose request had no effect; only this very row, not that of another request under the same key. */
export async function deleteRequestKey(db: Knex, row: RequestKeyRow) {
  const { request_hash, asked_at } = row
  await db('request_key')
    .where({ ...keyOf(row), request_hash, asked_at })
    .whereNull('reply')
    .delete()
}

/** Storage used by a user's keys. */
export interface RequestKeyUsage {
  keys: number
  /** Total size of the replies. */
  bytes: number
}

/** Counts in slices, in the order of the keys: a key that is inserted meanwhile may be missing. */
export async function requestKeyUsage(db: Knex, userId: number): Promise<RequestKeyUsage> {
  const usage = { keys: 0, bytes: 0 }
  for (let after = ''; ; ) {
    const slice = db('request_key')
      .where({ user_id: userId })
      .where('request_key', '>', after)
      .orderBy('request_key')
      .limit(ROWS_PER_COUNT)
      .select('request_key', db.raw('length(reply) as reply_bytes'))
      .as('slice')
    const counted = 'count(*) as number_of_keys, sum(reply_bytes) as bytes, max(request_key) as last'
    const [row] = await db(slice).select(db.raw(counted))
    usage.keys += Number(row.number_of_keys)
    usage.bytes += Number(row.bytes ?? 0)
    if (row.number_of_keys < ROWS_PER_COUNT) return usage
    after = row.last
  }
}

/** Deletes a user's oldest keys until at least this usage is freed; keys in `except`, and of requests in flight on `living` nodes, are kept. */
export async function deleteOldestRequestKeys(
  db: Knex,
  userId: number,
  { keys, bytes }: RequestKeyUsage,
  except: readonly string[],
  living?: Knex.QueryBuilder,
) {
  let [keysLeft, bytesLeft] = [keys, bytes]
  while (keysLeft > 0 || bytesLeft > 0) {
    const rows: { request_key: string; reply_bytes: number | null }[] = await db('request_key')
      .where({ user_id: userId })
      .whereNotIn('request_key', [...except])
      .where((done) =>
        living === undefined ? undefined : void done.whereNotNull('reply').orWhereNotIn('owner', living),
      )
      .orderBy('asked_at')
      .limit(ROWS_PER_DELETE)
      .select('request_key', db.raw('length(reply) as reply_bytes'))
    const deleted: string[] = []
    for (const { request_key, reply_bytes } of rows) {
      if (keysLeft <= 0 && bytesLeft <= 0) break
      deleted.push(request_key)
      keysLeft--
      bytesLeft -= reply_bytes ?? 0
    }
    if (deleted.length === 0) return
    await db('request_key').where({ user_id: userId }).whereIn('request_key', deleted).delete()
  }
}

/** Deletes keys reserved before a time. */
export async function deleteRequestKeysBefore(db: Knex, time: number) {
  for (;;) {
    const rows: RequestKeyRow[] = await db('request_key')
      .where('asked_at', '<', time)
      .limit(ROWS_PER_DELETE)
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
