import type { Knex } from 'knex'

/**
 * One schema change, run in a transaction where the database can. MySQL commits each statement that changes the schema
 * by itself: there, `up` or `down` runs again from its beginning after it was cut short, without the changes of the
 * schema that were made; changes of rows must do no harm when they are made twice.
 */
export interface Migration {
  up(db: Knex): Promise<unknown>
  down(db: Knex): Promise<unknown>
}
