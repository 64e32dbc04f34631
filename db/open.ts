import type { Knex } from 'knex'
import { type OpenOptions, openMysql } from './mysql.ts'
import { openSqlite } from './sqlite.ts'

/** True for the URL of a MySQL or MariaDB database; anything else is the path of a SQLite file. */
export const isDatabaseUrl = (location: string) => /^(mysql|mariadb):\/\//.test(location)

/**
 * Opens a database: `mysql://user:password@host:port/name`, or a SQLite file, created if missing.
 * @throws DatabaseError
 */
export const openDatabase = (location: string, options: OpenOptions = {}): Promise<Knex> =>
  isDatabaseUrl(location) ? openMysql(location, options) : openSqlite(location, options)
