import { Refused, ROLES, type Role, toLine, type User } from '../../core/index.ts'
import type { Verifier } from '../../core/scram/index.ts'
import type { UserRow } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { parseVerifier } from './verifier.ts'

/** A user with the data that stays on the server. */
export interface Account extends User {
  readonly active: boolean
  /** Undefined for a password of an unsupported scheme. */
  readonly verifier: Verifier | undefined
  readonly registeredAt: number
}

export interface Names {
  readonly name: string
  /** Shown to others; the name if empty. */
  readonly nickname: string
}

export interface NewAccount extends Names {
  readonly role: Role
  readonly verifier: Verifier
}

/**
 * Sender of system messages. It has no row in the database and is never active: nobody can log in as it, act as it or
 * write to it, and its name cannot be registered.
 */
export const SYSTEM: Account = Object.freeze({
  id: 0,
  name: 'system',
  nickname: 'system',
  role: 'admin',
  active: false,
  verifier: undefined,
  registeredAt: 0,
})

/** Longest nickname on the wire. */
const NICKNAME_BYTES = 256

export const toAccount = (row: UserRow): Account => ({
  id: row.id,
  name: row.username,
  // An adopted database may hold line breaks here.
  nickname: toLine(row.nickname, NICKNAME_BYTES),
  role: ROLES.find((role) => role === row.role) ?? 'user',
  active: row.isActive === 1,
  verifier: parseVerifier(row.password),
  registeredAt: row.reg_time,
})

/** The account that a look-up by name has found. @throws Refused `user_not_exist` */
export function existing(account: Account | undefined, name: string): Account {
  if (account !== undefined) return account
  throw new Refused(FAILURES.user_not_exist, `there is no user "${name}"`)
}
