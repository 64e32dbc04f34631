import type { Knex } from 'knex'
import { type OpenOptions, openMysql } from './mysql.ts'
import { openSqlite } from './sqlite.ts'

/** True for the URL of a MySQL or MariaDB database; anything else is the path of a SQLite file. */
export const isDatabaseUrl = (where: string) => /^(mysql|mariadb):\/\//.test(where)

/**
 * Opens a database: `mysql://user:password@host:port/name`, or a SQLite file, made if missing.
 * @throws DatabaseError
 */
export const openDatabase = (where: string, options: OpenOptions = {}): Promise<Knex> =>
  isDatabaseUrl(where) ? openMysql(where, options) : openSqlite(where, options)
