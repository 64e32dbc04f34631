import type { Knex } from 'knex'
import { isMysql } from './tables.ts'

/** Room for a small picture in an avatar. SQLite does not enforce lengths. */
export async function up(db: Knex) {
  if (isMysql(db)) await db.raw('alter table profile modify avatar varchar(2048) not null')
}

/** Avatars that no longer fit are removed. */
export async function down(db: Knex) {
  await db('profile').whereRaw('length(avatar) > 512').update({ avatar: '' })
  if (isMysql(db)) await db.raw('alter table profile modify avatar varchar(512) not null')
}
