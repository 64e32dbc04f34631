import type { Knex } from 'knex'
import type { Finding } from './ledger.ts'
import type { Original } from './original.ts'

/** Shared by all steps of an adoption. */
export interface Context {
  readonly original: Original
  readonly target: Knex
  /** Converts an MD5 digest of the original (32 hex digits) to a verifier for `userinfo.password`. */
  readonly wrapPassword: (digest: string) => Promise<string>
  /** Whether the text is valid as a name on the wire. */
  readonly isLine: (text: string) => boolean
}

/**
 * One pass over rows in the order of their ids. A page and the progress are written in one transaction, so an interrupted
 * pass resumes where it stopped.
 */
export interface Step<Row extends { readonly id: number } = { readonly id: number }> {
  readonly name: string
  /** Rows per page, which is also one transaction. */
  readonly pageSize: number
  count(context: Context): Promise<number>
  /** Reads rows with an id above `after`. Slow work such as key derivation happens here, outside the transaction. */
  read(context: Context, after: number, limit: number): Promise<Row[]>
  write(context: Context, trx: Knex.Transaction, rows: readonly Row[]): Promise<Finding[]>
}

/** SQLite allows 500 rows per INSERT. */
export const ROWS_PER_STATEMENT = 400

/** The subset of the ids that exist in a table of the target. */
export async function existingIds(trx: Knex, table: string, ids: Iterable<number>): Promise<ReadonlySet<number>> {
  const wanted = [...new Set(ids)]
  return new Set(await trx(table).whereIn('id', wanted).pluck('id'))
}

/** Normalizes a flag to 0 or 1: a `boolean` column of MySQL holds any small integer. */
export const flag = (value: number): 0 | 1 => (value ? 1 : 0)
