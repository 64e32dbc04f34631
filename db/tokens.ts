import type { Knex } from 'knex'
import { countRows, lockUsers } from './locks.ts'
import { note } from './log.ts'
import { transact } from './transaction.ts'

/** A token of a user. Times in milliseconds since 1970 UTC. */
export interface TokenRow {
  readonly id: number
  readonly user_id: number
  readonly name: string
  /** SHA-256, hexadecimal. */
  readonly token_hash: string
  /** Words with a space between them. */
  readonly scopes: string
  /** One target a line; empty for all. */
  readonly targets: string
  readonly created_at: number
  readonly expires_at: number
  /** Within a minute of the last use; 0 for none. */
  readonly used_at: number
}

export type NewTokenRow = Omit<TokenRow, 'id' | 'used_at'>

type StoredRow = TokenRow & { readonly isActive: number }

/** Tokens of a user that were not revoked and have not expired. */
const validTokens = (db: Knex, userId: number, now: number) =>
  db<StoredRow>('api_token').where({ user_id: userId, isActive: 1 }).where('expires_at', '>', now)

export const tokensOf = (db: Knex, userId: number, now: number): Promise<TokenRow[]> =>
  validTokens(db, userId, now).orderBy('id')

/** Stores a token. @returns its id; undefined if the user has `limit` valid tokens */
export const insertToken = (db: Knex, row: NewTokenRow, limit: number): Promise<number | undefined> =>
  transact(db, async (trx) => {
    await lockUsers(trx, row.user_id)
    if ((await countRows(validTokens(trx, row.user_id, row.created_at))) >= limit) return undefined
    const [id] = await trx('api_token').insert({ ...row, used_at: 0, isActive: 1 })
    return id
  })

/** The token with this hash, unless it was revoked. */
export const findToken = (db: Knex, hash: string): Promise<TokenRow | undefined> =>
  db<StoredRow>('api_token').where({ token_hash: hash, isActive: 1 }).first()

export const useToken = (db: Knex, id: number, now: number) =>
  db<StoredRow>('api_token').where({ id, isActive: 1 }).update({ used_at: now })

/** Revokes a token logically, as a change of its user. False if there was none. */
export const revokeToken = (db: Knex, userId: number, id: number): Promise<boolean> =>
  transact(db, async (trx) => {
    const revoked = await trx<StoredRow>('api_token')
      .where({ id, user_id: userId, isActive: 1 })
      .update({ isActive: 0 })
    if (revoked > 0) await note(trx, { topic: 'user', subject: userId })
    return revoked > 0
  })
