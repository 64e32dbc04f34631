import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Tokens with which programs act as their users over HTTP. */
export const up = (db: Knex) =>
  createTable(db, 'api_token', (table) => {
    table.increments('id')
    table.integer('user_id').notNullable()
    table.string('name', 64).notNullable()
    // SHA-256 of the token, which is stored nowhere.
    table.string('token_hash', 64).notNullable().unique({ indexName: 'api_token_hash' })
    // Words with a space between them.
    table.string('scopes', 64).notNullable()
    // One target a line; empty for all.
    table.text('targets').notNullable()
    table.bigInteger('created_at').notNullable()
    table.bigInteger('expires_at').notNullable()
    // Within a minute of the last use; 0 for none.
    table.bigInteger('used_at').notNullable().defaultTo(0)
    table.smallint('isActive').notNullable().defaultTo(1)
    table.index(['user_id', 'isActive'], 'api_token_user')
  })

export const down = (db: Knex) => db.schema.dropTable('api_token')
