import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** The nodes of a cluster, and what all of them must have alike. */
export async function up(db: Knex) {
  await createTable(db, 'cluster', (table) => {
    table.integer('id').primary()
    // Of the server key and the secret; null until the first node has joined.
    table.string('fingerprint', 64)
    table.string('secret_mac', 64)
    table.bigInteger('last_node').notNullable()
  })
  await createTable(db, 'node', (table) => {
    // Not autoincrement: a number of `cluster.last_node`, so that none is used again.
    table.bigInteger('id').primary()
    table.string('name', 64).notNullable()
    table.string('version', 32).notNullable()
    // Version of what nodes tell each other.
    table.integer('protocol').notNullable()
    // JSON: what the node was started with, and what it does now.
    table.text('settings').notNullable()
    table.text('state').notNullable()
    table.bigInteger('started_at').notNullable()
    // Milliseconds since 1970, by the clock of the database.
    table.bigInteger('until').notNullable().index('node_until')
  })
  await db('cluster').insert({ id: 1, last_node: 0 }).onConflict('id').ignore()
}

export async function down(db: Knex) {
  await db.schema.dropTable('node')
  await db.schema.dropTable('cluster')
}
