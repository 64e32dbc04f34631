import type { Knex } from 'knex'
import type { Finding } from './ledger.ts'
import type { Original } from './original.ts'

/** What every step of an adoption works with. */
export interface Context {
  readonly original: Original
  readonly target: Knex
  /** Turns a stored MD5 digest of the original, 32 hex digits, into a value of `userinfo.password`. */
  readonly wrapPassword: (digest: string) => Promise<string>
  /** Whether a message can carry the text as a name. */
  readonly isLine: (text: string) => boolean
}

/**
 * One pass over rows in the order of their ids. What a page writes and how far the pass has come are one commit, so a
 * pass that was cut short goes on where it was.
 */
export interface Step<Row extends { readonly id: number } = { readonly id: number }> {
  readonly name: string
  /** Rows in one page, and in one transaction. */
  readonly pageSize: number
  count(context: Context): Promise<number>
  /** The rows with an id above `after`, with whatever takes time done to them. */
  read(context: Context, after: number, limit: number): Promise<Row[]>
  write(context: Context, trx: Knex.Transaction, rows: readonly Row[]): Promise<Finding[]>
}

/** Rows of one INSERT at most: SQLite takes 500. */
export const PAGE = 400

/** Which of these ids a table of the target has. */
export async function existing(trx: Knex, table: string, ids: Iterable<number>): Promise<ReadonlySet<number>> {
  const wanted = [...new Set(ids)]
  return new Set(await trx(table).whereIn('id', wanted).pluck('id'))
}

/** A flag as 0 or 1: a `boolean` column of MySQL holds any small number. */
export const flag = (value: number): 0 | 1 => (value ? 1 : 0)
