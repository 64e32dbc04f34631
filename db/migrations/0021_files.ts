import type { Knex } from 'knex'
import { createTable } from './tables.ts'

/** Files, which messages name in `message_extra`: a plain message costs no column and no statement more. */
export async function up(db: Knex) {
  await createTable(db, 'stored_file', (table) => {
    table.bigIncrements('id')
    table.integer('owner_id').notNullable()
    // Chosen by the owner: the same upload is resumed with it.
    table.string('client_id', 64).notNullable()
    table.string('name', 255).notNullable()
    // Bytes: as announced while it is uploaded, then those of the stored content.
    table.bigInteger('size').notNullable()
    // See FILE_STATE in db/files.ts.
    table.smallint('state').notNullable().defaultTo(0)
    // Name of the file that collects the upload.
    table.string('part', 32).notNullable()
    // Key of the content, its SHA-256 in hex digits; empty until the upload is finished.
    table.string('content', 64).notNullable().defaultTo('')
    // The same of the preview; empty for none.
    table.string('preview', 64).notNullable().defaultTo('')
    table.integer('preview_size').notNullable().defaultTo(0)
    table.string('type', 127).notNullable().defaultTo('')
    table.integer('width').notNullable().defaultTo(0)
    table.integer('height').notNullable().defaultTo(0)
    table.string('thumbhash', 64).notNullable().defaultTo('')
    table.bigInteger('created_at').notNullable()
    // Time of the last chunk or message: without a message the file expires some time after it.
    table.bigInteger('used_at').notNullable()
    // 0: deleted or expired.
    table.smallint('isActive').notNullable().defaultTo(1)
    table.unique(['owner_id', 'client_id'], { indexName: 'stored_file_client_id' })
    table.index(['isActive', 'owner_id', 'size'], 'stored_file_usage')
    table.index(['content'], 'stored_file_content')
    table.index(['preview'], 'stored_file_preview')
  })
  for (const name of ['message_extra', 'scheduled'])
    await db.schema.alterTable(name, (table) => {
      // 0: none.
      table.bigInteger('file_id').notNullable().defaultTo(0)
      table.index(['file_id'], `${name}_file`)
    })
}

export async function down(db: Knex) {
  for (const name of ['scheduled', 'message_extra'])
    await db.schema.alterTable(name, (table) => {
      table.dropIndex(['file_id'], `${name}_file`)
      table.dropColumn('file_id')
    })
  await db.schema.dropTable('stored_file')
}
