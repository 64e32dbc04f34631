import type { Knex } from 'knex'

/** The read positions of those to whom a user has written, in the order in which pages of them are read. */
export const up = (db: Knex) =>
  db.schema.alterTable('correspondence', (table) => {
    table.index(['writer_id', 'reader_id'], 'correspondence_by_writer')
    table.dropIndex(['writer_id'], 'correspondence_writer')
  })

export const down = (db: Knex) =>
  db.schema.alterTable('correspondence', (table) => {
    table.index(['writer_id'], 'correspondence_writer')
    table.dropIndex(['writer_id', 'reader_id'], 'correspondence_by_writer')
  })
