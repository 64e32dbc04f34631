import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Keys of devices, each of which may log in as its user. */
export const up = (db: Knex) =>
  createTable(db, 'device', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.string('name', 64).notNullable()
    // Base64 of the SubjectPublicKeyInfo.
    table.string('public_key', 255).notNullable()
    // Hash of the account's verifier at the time: with another password the key is not valid any more.
    table.string('verifier_hash', 64).notNullable()
    table.bigInteger('added_at').notNullable()
    // Time of the last login; 0 for none.
    table.bigInteger('used_at').notNullable().defaultTo(0)
    table.smallint('isActive').notNullable().defaultTo(1)
    table.index(['user_id', 'isActive'], 'device_user')
  })

export const down = (db: Knex) => db.schema.dropTable('device')
