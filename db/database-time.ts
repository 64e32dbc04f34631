import type { Knex } from 'knex'

/** The time of a MySQL or MariaDB server, in milliseconds since 1970 UTC. */
export async function databaseTime(db: Knex): Promise<number> {
  const [[row]] = await db.raw('select floor(unix_timestamp(now(3)) * 1000) as now')
  return Number(row.now)
}
