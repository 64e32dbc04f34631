import type { Knex } from 'knex'

/** Finds settled messages by their time, so that each slice of those that are deleted reads only them. */
export const up = (db: Knex) => db.schema.alterTable('scheduled', (table) => table.index(['done_at'], 'scheduled_done'))

export const down = (db: Knex) =>
  db.schema.alterTable('scheduled', (table) => table.dropIndex(['done_at'], 'scheduled_done'))
