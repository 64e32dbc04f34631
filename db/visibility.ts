import { withoutPassword } from './database-url.ts'
import { DatabaseError } from './errors.ts'
import { isDatabaseUrl, openDatabase } from './open.ts'

/**
 * Checks that several servers may use a database: what one of them has committed is read by others at once, so it must
 * not be lost in a crash after that. InnoDB without a synchronous binary log shows a commit before it is on disk; a
 * message would be delivered, disappear, and its number would be given to another one.
 * @throws DatabaseError with the setting to change
 */
export async function checkShareable(where: string) {
  if (!isDatabaseUrl(where))
    throw new DatabaseError(
      `a SQLite file (${where}) is for one server: a cluster needs MariaDB or MySQL, given with --db or CHATCTL_DB`,
    )
  const db = await openDatabase(where, { readOnly: true })
  try {
    const [rows] = await db.raw('show global variables where variable_name in (?, ?, ?, ?)', SETTINGS)
    const settings = new Map<string, string>(rows.map((row: Row) => [row.Variable_name, row.Value]))
    const isGalera = settings.get('wsrep_on') === 'ON' && settings.get('wsrep_provider') !== 'none'
    if (isGalera || (settings.get('log_bin') === 'ON' && settings.get('sync_binlog') === '1')) return
    throw new DatabaseError(
      `${withoutPassword(where)} shows commits before they are on disk (log_bin is ${settings.get('log_bin')}, ` +
        `sync_binlog ${settings.get('sync_binlog')}): a cluster needs log_bin and sync_binlog=1 in the configuration of ` +
        'the database, or Galera',
    )
  } finally {
    await db.destroy()
  }
}

const SETTINGS = ['log_bin', 'sync_binlog', 'wsrep_on', 'wsrep_provider']

interface Row {
  readonly Variable_name: string
  readonly Value: string
}
