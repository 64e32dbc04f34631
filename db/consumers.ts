import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import { isMysql } from './migrations/tables.ts'
import { transact } from './transaction.ts'

/** How far a consumer of a user's messages has come. */
export interface ConsumerRow {
  readonly user_id: number
  readonly name: string
  /** Every message up to this id was handled, but for the pending ones. */
  readonly position: number
  /** Ids up to the position, ascending. */
  readonly pending: readonly number[]
  readonly moved_at: number
}

/** What a consumer keeps under a key. */
export interface StateRow {
  readonly user_id: number
  readonly name: string
  readonly state_key: string
  /** Empty where there is nothing. */
  readonly state: string
}

type Stored = Omit<ConsumerRow, 'pending'> & { readonly pending: string }

const toRow = ({ pending, ...row }: Stored): ConsumerRow => ({
  ...row,
  pending: pending === '' ? [] : pending.split(',').map(Number),
})

export async function findConsumer(db: Knex, userId: number, name: string): Promise<ConsumerRow | undefined> {
  const row = await db<Stored>('consumer').where({ user_id: userId, name }).first()
  return row && toRow(row)
}

/** By name. */
export async function consumersOf(db: Knex, userId: number): Promise<ConsumerRow[]> {
  return (await db<Stored>('consumer').where({ user_id: userId }).orderBy('name')).map(toRow)
}

/**
 * Makes a consumer unless its user has one of that name. Consumers are counted under the lock of the user, so that
 * there are never more than `limit`.
 */
export const insertConsumer = (db: Knex, row: ConsumerRow, limit: number): Promise<'made' | 'exists' | 'too_many'> =>
  transact(
    db,
    async (trx) => {
      const { user_id, name } = row
      await lockUsers(trx, user_id)
      if ((await findConsumer(trx, user_id, name)) !== undefined) return 'exists'
      if ((await countRows(trx('consumer').where({ user_id }))) >= limit) return 'too_many'
      await saveConsumers(trx, [row], [])
      return 'made'
    },
    { repeatable: false },
  )

/** Rows of one statement: SQLite takes 500. */
const STEP = 200

function* steps<Row>(rows: readonly Row[]): Generator<Row[], void, void> {
  for (let at = 0; at < rows.length; at += STEP) yield rows.slice(at, at + STEP)
}

/** Writes consumers and states over what there is of them, all or none. */
export async function saveConsumers(
  trx: Knex.Transaction,
  consumers: readonly ConsumerRow[],
  states: readonly StateRow[],
) {
  const rows = consumers.map((row) => ({ ...row, pending: row.pending.join(',') }))
  for (const some of steps(rows)) await trx('consumer').insert(some).onConflict(['user_id', 'name']).merge()
  const kept = states.filter(({ state }) => state !== '')
  for (const some of steps(kept))
    await trx('consumer_state').insert(some).onConflict(['user_id', 'name', 'state_key']).merge()
  for (const { user_id, name, state_key } of states.filter(({ state }) => state === ''))
    await trx('consumer_state').where({ user_id, name, state_key }).delete()
}

/** Forgets a consumer and its state: neither is a user's data, so nothing of them is kept. */
export async function deleteConsumer(trx: Knex.Transaction, userId: number, name: string) {
  await trx('consumer_state').where({ user_id: userId, name }).delete()
  await trx('consumer').where({ user_id: userId, name }).delete()
}

/** Under how many keys a consumer keeps something. */
export async function countStates(db: Knex, userId: number, name: string): Promise<number> {
  const [row] = await db('consumer_state').where({ user_id: userId, name }).count({ count: '*' })
  return Number(row?.count)
}

/** Bytes of all that a consumer keeps. */
export async function stateBytesOf(db: Knex, userId: number, name: string): Promise<number> {
  // SQLite counts characters of a text, and bytes of a blob.
  const bytes = isMysql(db) ? 'sum(length(state)) as bytes' : 'sum(length(cast(state as blob))) as bytes'
  const row = await db('consumer_state').where({ user_id: userId, name }).first(db.raw(bytes))
  return Number(row?.bytes ?? 0)
}

export async function findState(db: Knex, userId: number, name: string, key: string): Promise<string> {
  const row = await db<StateRow>('consumer_state').where({ user_id: userId, name, state_key: key }).first()
  return row?.state ?? ''
}

/**
 * An id up to which all messages are older than a time, and above which none is. Halves the ids again and again, since
 * times have no index: ids grow with the time, but for messages taken over from elsewhere.
 */
export async function lastIdBefore(db: Knex, time: number): Promise<number> {
  const [row] = await db('chatmsg').max({ newest: 'id' })
  let low = 0
  let high = Number(row?.newest ?? 0)
  while (low < high) {
    const middle = Math.floor((low + high + 1) / 2)
    const found = await db('chatmsg').where('id', '<=', middle).orderBy('id', 'desc').first('id', 'send_time')
    // None at all is older than any time.
    if (found === undefined || found.send_time < time) low = middle
    else high = Number(found.id) - 1
  }
  return low
}
