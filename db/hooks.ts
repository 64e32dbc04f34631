import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import { transact } from './transaction.ts'

/** An outgoing webhook. Times in milliseconds since 1970 UTC. */
export interface HookRow {
  readonly id: number
  readonly user_id: number
  readonly url: string
  /** Encrypted. */
  readonly secrets: string
  /** Separated by commas; empty for all. */
  readonly kinds: string
  /** JSON; empty for all conversations. */
  readonly conversations: string
  readonly isReply: number
  /** All events up to this id are handled, except the pending ones. */
  readonly position: number
  readonly pending: readonly number[]
  /** Time of the first failure since the last success; 0 for none. */
  readonly failing_since: number
  /** Why it is disabled; empty while it is not. */
  readonly disabled: string
  readonly created_at: number
  /** The node that delivers its events. */
  readonly owner: number
}

export type NewHookRow = Omit<HookRow, 'id' | 'pending' | 'failing_since' | 'disabled'>
export type HookChange = Partial<Pick<HookRow, 'secrets' | 'position' | 'pending' | 'failing_since' | 'disabled'>>

/** An event whose delivery has failed. */
export interface HookAttemptRow {
  readonly hook_id: number
  readonly message_id: number
  readonly attempts: number
  /** 0 for a dead letter. */
  readonly next_at: number
  readonly failed_at: number
  readonly reason: string
}

type Stored = Omit<HookRow, 'pending'> & { readonly pending: string; readonly isActive: number }

const toRow = ({ pending, owner, ...row }: Stored): HookRow => ({
  ...row,
  owner: Number(owner),
  pending: pending === '' ? [] : pending.split(',').map(Number),
})

/** Creates a hook. @returns its id; undefined if its user has `limit` hooks */
export const insertHook = (db: Knex, row: NewHookRow, limit: number): Promise<number | undefined> =>
  transact(
    db,
    async (trx) => {
      const { user_id } = row
      await lockUsers(trx, user_id)
      if ((await countRows(trx('hook').where({ user_id, isActive: 1 }))) >= limit) return undefined
      const [id] = await trx('hook').insert({ ...row, pending: '', isActive: 1 })
      return id
    },
    { repeatable: false },
  )

/** All hooks that were not removed, ordered by id. */
export const allHooks = async (db: Knex): Promise<HookRow[]> =>
  (await db<Stored>('hook').where({ isActive: 1 }).orderBy('id')).map(toRow)

/** @returns undefined if there is none, or it was removed */
export async function findHook(db: Knex, id: number): Promise<HookRow | undefined> {
  const row = await db<Stored>('hook').where({ id, isActive: 1 }).first()
  return row && toRow(row)
}

/**
 * Gives hooks of nodes that have ended to a node.
 * @param living ids of the nodes that are alive; without it, there is no other node
 * @param id of one; all if left out
 */
export async function claimHooks(db: Knex, node: number, living?: Knex.QueryBuilder, id?: number) {
  const free = db<Stored>('hook').where({ isActive: 1, ...(id !== undefined && { id }) })
  if (living !== undefined) free.whereNotIn('owner', living)
  await free.whereNot({ owner: node }).update({ owner: node })
}

/** Gives a hook from one node to another. */
export const passHook = (db: Knex, id: number, from: number, to: number): Promise<number> =>
  db<Stored>('hook').where({ id, owner: from }).update({ owner: to })

/** @returns 0 if the hook is another node's: nothing is stored then */
export const updateHook = (
  db: Knex,
  { id, owner }: Pick<HookRow, 'id' | 'owner'>,
  { pending, ...change }: HookChange,
): Promise<number> =>
  db<Stored>('hook')
    .where({ id, owner })
    .update({ ...change, ...(pending !== undefined && { pending: pending.join(',') }) })

/** Removes a hook logically; what it could not deliver is deleted. */
export const removeHook = (db: Knex, id: number): Promise<void> =>
  transact(db, async (trx) => {
    await trx('hook').where({ id }).update({ isActive: 0, pending: '' })
    await trx('hook_attempt').where({ hook_id: id }).delete()
  })

/** Stores a failed attempt in place of the earlier one. */
export const saveHookAttempt = (db: Knex, row: HookAttemptRow): Promise<unknown> =>
  db('hook_attempt').insert(row).onConflict(['hook_id', 'message_id']).merge()

export const deleteHookAttempt = (db: Knex, hookId: number, messageId: number): Promise<number> =>
  db('hook_attempt').where({ hook_id: hookId, message_id: messageId }).delete()

/** The failed attempts of a hook, dead letters included, by message id. */
export const hookAttempts = (db: Knex, hookId: number): Promise<HookAttemptRow[]> =>
  db<HookAttemptRow>('hook_attempt').where({ hook_id: hookId }).orderBy('message_id')

/** Dead letters of a hook, by message id. */
export const deadLetters = (db: Knex, hookId: number, after: number, limit: number): Promise<HookAttemptRow[]> =>
  db<HookAttemptRow>('hook_attempt')
    .where({ hook_id: hookId, next_at: 0 })
    .where('message_id', '>', after)
    .orderBy('message_id')
    .limit(limit)

/** Why the last failed attempt of a hook failed; empty if none did. */
export const lastReason = async (db: Knex, hookId: number): Promise<string> =>
  (await db('hook_attempt').where({ hook_id: hookId }).orderBy('failed_at', 'desc').first('reason'))?.reason ?? ''

export const countDeadLetters = (db: Knex, hookId: number): Promise<number> =>
  countRows(db('hook_attempt').where({ hook_id: hookId, next_at: 0 }))
