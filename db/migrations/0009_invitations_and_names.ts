import type { Knex } from 'knex'

/** See `freedName` in db/group-changes.ts. */
const freedName = (id: number) => `\u001f${id}`

/**
 * The inviting user; names of dissolved groups become free; a hash of a scheduled text, which detects another text under
 * the same client id after the text is deleted. Steps are idempotent: MySQL commits them one by one.
 */
export async function up(db: Knex) {
  const add = async (table: string, column: string, build: (table: Knex.AlterTableBuilder) => void) => {
    if (!(await db.schema.hasColumn(table, column))) await db.schema.alterTable(table, build)
  }
  await add('chatroom_user', 'invited_by', (table) => {
    // The inviting user of a pending invitation; 0 if the invitation is older than this column.
    table.integer('invited_by').notNullable().defaultTo(0)
  })
  await add('chatroom', 'former_name', (table) => {
    // The name of a dissolved group.
    table.string('former_name', 255)
  })
  await add('scheduled', 'text_hash', (table) => {
    table.string('text_hash', 64)
  })
  const dissolved = await db('chatroom').where({ isActive: 0, former_name: null }).select('id', 'chatroom_name')
  for (const { id, chatroom_name } of dissolved)
    await db('chatroom')
      .where({ id })
      .update({ former_name: chatroom_name, chatroom_name: freedName(id) })
}

/** A dissolved group gets its name back unless another group has it. */
export async function down(db: Knex) {
  if (await db.schema.hasColumn('chatroom', 'former_name')) {
    const dissolved = await db('chatroom').whereNotNull('former_name').select('id', 'former_name').orderBy('id')
    for (const { id, former_name } of dissolved)
      if ((await db('chatroom').where({ chatroom_name: former_name }).first('id')) === undefined)
        await db('chatroom').where({ id }).update({ chatroom_name: former_name })
  }
  const drop = async (table: string, column: string) => {
    if (await db.schema.hasColumn(table, column)) await db.schema.alterTable(table, (alter) => alter.dropColumn(column))
  }
  await drop('scheduled', 'text_hash')
  await drop('chatroom', 'former_name')
  await drop('chatroom_user', 'invited_by')
}
