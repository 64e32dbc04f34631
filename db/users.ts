import type { Knex } from 'knex'
import { note } from './log.ts'
import { asking } from './selects.ts'
import { isDuplicate, transact } from './transaction.ts'

export interface UserRow {
  readonly id: number
  readonly username: string
  /** Verifier, prefixed by its scheme; see plugins/accounts. */
  readonly password: string
  readonly nickname: string
  readonly role: string
  readonly reg_time: number
  /** 0 for a disabled account. */
  readonly isActive: number
}

type Identity = Pick<UserRow, 'username' | 'password' | 'nickname' | 'role'>

/**
 * Finds users by name, compared byte for byte. The outer join returns a row for a missing user too, so that timing
 * reveals less about which names exist.
 */
export async function findUsers(db: Knex, usernames: readonly string[]): Promise<UserRow[]> {
  const names = usernames.map(() => '?').join(', ')
  const rows = await asking(db)(
    `select u.* from (select 1) as one left join userinfo as u on u.username in (${names})`,
    usernames,
  )
  return (rows as (UserRow | { id: null })[]).filter((row) => row.id !== null)
}

/** One sample password per scheme, iteration count and length, with its number of accounts; most frequent first. */
export const passwordSamples = async (db: Knex, limit: number): Promise<{ password: string; accounts: number }[]> => {
  const kinds = ["substr(password, 1, instr(password, ':'))", 'length(password)'].map((sql) => db.raw(sql))
  const rows = await db('userinfo')
    .min({ password: 'password' })
    .count({ accounts: '*' })
    .where('password', 'like', '%SCRAM-SHA-256$%')
    .groupBy(kinds)
    .orderBy('accounts', 'desc')
    .limit(limit)
  return rows.map((row) => ({ password: String(row.password), accounts: Number(row.accounts) }))
}

export const findUsersById = (db: Knex, ids: readonly number[]): Promise<UserRow[]> =>
  db<UserRow>('userinfo').whereIn('id', ids)

export const listUsers = (db: Knex, afterId: number, limit: number): Promise<UserRow[]> =>
  db<UserRow>('userinfo').where('id', '>', afterId).orderBy('id').limit(limit)

/** @returns the new id, or undefined when the name is taken */
export async function insertUser(db: Knex, identity: Identity, registeredAt = Date.now()): Promise<number | undefined> {
  const row = { ...identity, reg_time: registeredAt, isActive: 1 }
  // Only of this statement: a number of the log may be taken too, which says nothing of the name.
  let isTaken = false
  try {
    return await db.transaction(async (trx) => {
      const inserting = trx('userinfo').insert(row)
      const [id = 0] = await inserting.catch((error) => {
        isTaken = isDuplicate(error)
        throw error
      })
      await note(trx, { topic: 'user', subject: id })
      return id
    })
  } catch (error) {
    if (isTaken) return undefined
    throw error
  }
}

/** Updates an account; false when the name does not exist. */
export async function updateUser(
  db: Knex,
  username: string,
  change: Partial<Pick<UserRow, 'password' | 'nickname' | 'role' | 'isActive'>>,
): Promise<boolean> {
  return transact(db, async (trx) => {
    const row = await trx<UserRow>('userinfo').where({ username }).forUpdate().first('id')
    if (row === undefined) return false
    await trx('userinfo').where({ id: row.id }).update(change)
    await note(trx, { topic: 'user', subject: row.id })
    return true
  })
}
