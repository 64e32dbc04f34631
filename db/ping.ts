import type { Knex } from 'knex'

/** Asks the database for an answer. Rejects if there is none. */
export const ping = (db: Knex): Promise<unknown> => db.raw('select 1').then(() => {})
