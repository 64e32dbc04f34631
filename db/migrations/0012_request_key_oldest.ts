import type { Knex } from 'knex'

/** The keys of a user in the order of their times: those that are evicted are found without sorting all of them. */
export const up = (db: Knex) =>
  db.schema.alterTable('request_key', (table) => table.index(['user_id', 'asked_at'], 'request_key_oldest'))

export const down = (db: Knex) =>
  db.schema.alterTable('request_key', (table) => table.dropIndex(['user_id', 'asked_at'], 'request_key_oldest'))
