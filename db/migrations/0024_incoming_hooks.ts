import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Addresses at which other programs post messages of a user. */
export const up = (db: Knex) =>
  createTable(db, 'incoming_hook', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.string('name', 64).notNullable()
    // SHA-256 of the token in the address, which is stored nowhere.
    table.string('token_hash', 64).notNullable().unique({ indexName: 'incoming_hook_hash' })
    table.string('format', 32).notNullable()
    // Name of a user, or @ and that of a group.
    table.string('target', 255).notNullable()
    table.smallint('is_signed').notNullable()
    table.bigInteger('created_at').notNullable()
    // Within a minute of the last use; 0 for none.
    table.bigInteger('used_at').notNullable().defaultTo(0)
    table.smallint('isActive').notNullable().defaultTo(1)
    table.index(['user_id', 'isActive'], 'incoming_hook_user')
  })

export const down = (db: Knex) => db.schema.dropTable('incoming_hook')
