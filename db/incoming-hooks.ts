import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import { transact } from './transaction.ts'

/** An address at which other programs post messages of a user. Times in milliseconds since 1970 UTC. */
export interface IncomingHookRow {
  readonly id: number
  readonly user_id: number
  readonly name: string
  /** SHA-256 of the token, hexadecimal. */
  readonly token_hash: string
  readonly format: string
  /** Name of a user, or @ and that of a group. */
  readonly target: string
  /** 1: only signed requests are taken. */
  readonly is_signed: number
  readonly created_at: number
  /** Within a minute of the last use; 0 for none. */
  readonly used_at: number
}

export type NewIncomingHookRow = Omit<IncomingHookRow, 'id' | 'used_at'>

type StoredRow = IncomingHookRow & { readonly isActive: number }

const activeHooks = (db: Knex, userId: number) => db<StoredRow>('incoming_hook').where({ user_id: userId, isActive: 1 })

export const incomingHooksOf = (db: Knex, userId: number): Promise<IncomingHookRow[]> =>
  activeHooks(db, userId).orderBy('id')

/** Stores a hook. @returns its id; undefined if the user has `limit` */
export const insertIncomingHook = (db: Knex, row: NewIncomingHookRow, limit: number): Promise<number | undefined> =>
  transact(db, async (trx) => {
    await lockUsers(trx, row.user_id)
    if ((await countRows(activeHooks(trx, row.user_id))) >= limit) return undefined
    const [id] = await trx('incoming_hook').insert({ ...row, used_at: 0, isActive: 1 })
    return id
  })

/** The hook with this hash, unless it was revoked. */
export const findIncomingHook = (db: Knex, hash: string): Promise<IncomingHookRow | undefined> =>
  db<StoredRow>('incoming_hook').where({ token_hash: hash, isActive: 1 }).first()

export const useIncomingHook = (db: Knex, id: number, now: number) =>
  db<StoredRow>('incoming_hook').where({ id, isActive: 1 }).update({ used_at: now })

/** Revokes a hook logically. False if there was none. */
export const revokeIncomingHook = async (db: Knex, userId: number, id: number): Promise<boolean> =>
  (await db<StoredRow>('incoming_hook').where({ id, user_id: userId, isActive: 1 }).update({ isActive: 0 })) > 0
