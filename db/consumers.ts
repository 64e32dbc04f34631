import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import { transact } from './transaction.ts'

/** Durable cursor of a consumer in its user's messages. */
export interface ConsumerRow {
  readonly user_id: number
  readonly name: string
  /** All messages up to this id are handled, except the pending ones. */
  readonly position: number
  /** Ids up to the position that are not handled yet, ascending. */
  readonly pending: readonly number[]
  readonly moved_at: number
  /** Raised by each server that takes the consumer: only the last one may store its position. */
  readonly epoch: number
}

/** Size of all state of a consumer, kept in its row. */
export interface StateUsage {
  readonly state_keys: number
  readonly state_bytes: number
}

export type StoredConsumer = ConsumerRow & StateUsage

/** A consumer's state under one key. */
export interface StateRow {
  readonly user_id: number
  readonly name: string
  readonly state_key: string
  /** Empty deletes the key. */
  readonly state: string
}

export type UsageRow = StateUsage & Pick<ConsumerRow, 'user_id' | 'name'>

type Stored = Omit<StoredConsumer, 'pending'> & { readonly pending: string }

const toRow = ({ pending, epoch, ...row }: Stored): StoredConsumer => ({
  ...row,
  epoch: Number(epoch),
  pending: pending === '' ? [] : pending.split(',').map(Number),
})

export async function findConsumer(db: Knex, userId: number, name: string): Promise<StoredConsumer | undefined> {
  const row = await db<Stored>('consumer').where({ user_id: userId, name }).first()
  return row && toRow(row)
}

/** All consumers of a user, ordered by name. */
export async function consumersOf(db: Knex, userId: number): Promise<StoredConsumer[]> {
  return (await db<Stored>('consumer').where({ user_id: userId }).orderBy('name')).map(toRow)
}

/** Creates a consumer unless its user has one of that name. Counted under the user's lock: never more than `limit`. */
export const insertConsumer = (db: Knex, row: ConsumerRow, limit: number): Promise<'made' | 'exists' | 'too_many'> =>
  transact(
    db,
    async (trx) => {
      const { user_id, name } = row
      await lockUsers(trx, user_id)
      if ((await findConsumer(trx, user_id, name)) !== undefined) return 'exists'
      if ((await countRows(trx('consumer').where({ user_id }))) >= limit) return 'too_many'
      await trx('consumer').insert({ ...row, pending: row.pending.join(',') })
      return 'made'
    },
    { repeatable: false },
  )

/** SQLite allows 500 rows per INSERT. */
const ROWS_PER_STATEMENT = 200
/** Limits how long one transaction holds the database: with the longest states a DELETE of 1.6 MB. */
const STATES_PER_DELETE = 100

function* chunks<Row>(rows: readonly Row[]): Generator<Row[], void, void> {
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) yield rows.slice(at, at + ROWS_PER_STATEMENT)
}

/** Changes of consumers that are committed together. */
export interface ConsumerChanges {
  readonly consumers: readonly ConsumerRow[]
  /** An empty state deletes its key. */
  readonly states: readonly StateRow[]
  /** The usage once these states are stored, of each of their consumers. */
  readonly usages: readonly UsageRow[]
}

type Key = Pick<ConsumerRow, 'user_id' | 'name'>

export const keyOf = ({ user_id, name }: Key) => `${user_id} ${name}`

/** Takes a consumer: what any server knows of it until now cannot be stored any more. @returns it, if there is one */
export const takeConsumer = (db: Knex, user_id: number, name: string): Promise<StoredConsumer | undefined> =>
  transact(db, async (trx) => {
    await trx('consumer').where({ user_id, name }).increment('epoch', 1)
    return findConsumer(trx, user_id, name)
  })

/**
 * Updates consumers with their states.
 * @returns keys of those that another server has taken or deleted: nothing of them is stored
 */
export async function saveConsumers(trx: Knex.Transaction, changes: ConsumerChanges): Promise<ReadonlySet<string>> {
  const own = new Set<string>()
  for (const chunk of chunks(changes.consumers)) for (const row of await lockOwn(trx, chunk)) own.add(keyOf(row))
  const isOwn = (key: Key) => own.has(keyOf(key))
  const rows = changes.consumers.filter(isOwn).map((row) => ({ ...row, pending: row.pending.join(',') }))
  for (const chunk of chunks(rows)) await trx('consumer').insert(chunk).onConflict(['user_id', 'name']).merge()
  await saveStates(trx, changes.states.filter(isOwn), changes.usages.filter(isOwn))
  return new Set(changes.consumers.map(keyOf).filter((key) => !own.has(key)))
}

/** Locks the consumers whose epoch is still the same. */
async function lockOwn(trx: Knex.Transaction, rows: readonly ConsumerRow[]): Promise<Key[]> {
  const wanted = rows.map(({ user_id, name, epoch }) => [user_id, name, epoch])
  const own = () => trx('consumer').whereIn(['user_id', 'name', 'epoch'], wanted)
  // An update: it locks in every kind of database.
  await own().update({ epoch: trx.ref('epoch') })
  return own().select('user_id', 'name')
}

async function saveStates(trx: Knex.Transaction, states: readonly StateRow[], usages: readonly UsageRow[]) {
  const kept = states.filter(({ state }) => state !== '')
  for (const chunk of chunks(kept))
    await trx('consumer_state').insert(chunk).onConflict(['user_id', 'name', 'state_key']).merge()
  for (const { user_id, name, state_key } of states.filter(({ state }) => state === ''))
    await trx('consumer_state').where({ user_id, name, state_key }).delete()
  for (const { user_id, name, ...usage } of usages) await trx('consumer').where({ user_id, name }).update(usage)
}

/**
 * Deletes a consumer and its state physically: unlike messages, they are not a user's data. The state is deleted in
 * slices, and the consumer with the last one; cut short, the consumer exists with less state.
 */
export async function deleteConsumer(db: Knex, userId: number, name: string) {
  while (!(await transact(db, (trx) => deleteSlice(trx, { user_id: userId, name }))));
}

/** Deletes some state of a consumer, or all that is left and the consumer: then true. */
async function deleteSlice(trx: Knex.Transaction, consumer: Pick<ConsumerRow, 'user_id' | 'name'>): Promise<boolean> {
  const states: StateRow[] = await trx('consumer_state').where(consumer).limit(STATES_PER_DELETE)
  if (states.length > 0) {
    const keys = states.map(({ state_key }) => state_key)
    await trx('consumer_state').where(consumer).whereIn('state_key', keys).delete()
  }
  if (states.length < STATES_PER_DELETE) {
    await trx('consumer').where(consumer).delete()
    return true
  }
  const bytes = states.reduce((sum, { state }) => sum + Buffer.byteLength(state), 0)
  await trx('consumer').where(consumer).decrement({ state_keys: states.length, state_bytes: bytes })
  return false
}

export async function findState(db: Knex, userId: number, name: string, key: string): Promise<string> {
  const row = await db<StateRow>('consumer_state').where({ user_id: userId, name, state_key: key }).first()
  return row?.state ?? ''
}

/**
 * An id that separates messages older than a time from all later ones; not necessarily the id of a message. Binary search
 * over ids, since times have no index: ids grow with time, except for messages adopted from another database.
 */
export async function lastIdBefore(db: Knex, time: number): Promise<number> {
  const [row] = await db('chatmsg').max({ newest: 'id' })
  let low = 0
  let high = Number(row?.newest ?? 0)
  while (low < high) {
    const middle = Math.floor((low + high + 1) / 2)
    const found = await db('chatmsg').where('id', '<=', middle).orderBy('id', 'desc').first('id', 'send_time')
    // No message up to `middle` at all counts as older.
    if (found === undefined || found.send_time < time) low = middle
    else high = Number(found.id) - 1
  }
  return low
}
