import type { Knex } from 'knex'

/**
 * One schema change, run in a transaction. MySQL commits each DDL statement by itself: an interrupted `up` or `down` is
 * rerun from its beginning there, and DDL that is already applied is skipped. Changes of rows must be idempotent.
 */
export interface Migration {
  up(db: Knex): Promise<unknown>
  down(db: Knex): Promise<unknown>
}
