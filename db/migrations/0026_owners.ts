import type { Knex } from 'knex'

/** Who works on what, where several servers use the database: a node's id, or a number that each taking raises. */
export async function up(db: Knex) {
  await db.schema.alterTable('consumer', (table) => {
    // Raised by each server that takes the consumer: what an earlier one knows of it cannot be stored any more.
    table.bigInteger('epoch').notNullable().defaultTo(0)
  })
  for (const name of OWNED)
    await db.schema.alterTable(name, (table) => {
      // The node that works on it, or the last one that did; 0: a server without a cluster, or none.
      table.bigInteger('owner').notNullable().defaultTo(0)
    })
}

export async function down(db: Knex) {
  for (const name of [...OWNED].reverse()) await db.schema.alterTable(name, (table) => table.dropColumn('owner'))
  await db.schema.alterTable('consumer', (table) => table.dropColumn('epoch'))
}

const OWNED = ['scheduled', 'request_key', 'hook']
