import type { Knex } from 'knex'
import { DatabaseError } from '../errors.ts'

/** Rows of the original's tables with the columns read here. `time` is in milliseconds UTC, 0 if missing. */
export interface OriginalRows {
  userinfo: { id: number; username: string; password: string; nickname: string; time: number; isActive: number }
  chatroom: { id: number; chatroom_name: string; time: number; isActive: number }
  chatroom_user: { id: number; chatroom_id: number; user_id: number; time: number; isActive: number }
  userfriend: { id: number; user_id: number; friend_id: number; time: number; isActive: number }
  chatmsg: {
    id: number
    user_id: number
    target_id: number
    isRead: number
    msg_type: number
    msg: string
    time: number
    isActive: number
  }
}

export type OriginalTable = keyof OriginalRows

const COLUMNS: { readonly [T in OriginalTable]: readonly (Exclude<keyof OriginalRows[T], 'time'> & string)[] } = {
  userinfo: ['id', 'username', 'password', 'nickname', 'isActive'],
  chatroom: ['id', 'chatroom_name', 'isActive'],
  chatroom_user: ['id', 'chatroom_id', 'user_id', 'isActive'],
  userfriend: ['id', 'user_id', 'friend_id', 'isActive'],
  chatmsg: ['id', 'user_id', 'target_id', 'isRead', 'msg_type', 'msg', 'isActive'],
}

export const ORIGINAL_TABLES = Object.keys(COLUMNS) as OriginalTable[]

/** The column read as `time`. */
export const TIME_COLUMN: Readonly<Record<OriginalTable, string>> = {
  userinfo: 'reg_time',
  chatroom: 'create_time',
  chatroom_user: 'create_time',
  userfriend: 'add_time',
  chatmsg: 'send_time',
}

/** Prefix of the original's tables once they are renamed. */
export const SET_ASIDE = 'original_'

/** Paged access to the original's tables. */
export interface Original {
  count(table: OriginalTable): Promise<number>
  /** Rows with an id above `after`, in the order of their ids. */
  page<T extends OriginalTable>(table: T, after: number, limit: number): Promise<OriginalRows[T][]>
  /** Whether a user with this name exists, compared byte for byte. */
  hasUser(name: string): Promise<boolean>
  /** Id of the first unread message by group. Empty for data of the original itself, which marks none as unread. */
  firstUnreadInGroups(): Promise<Map<number, number>>
}

/**
 * Opens the original's tables, under their own names or renamed.
 * @param prefix of the table names
 * @param timeZone of `datetime` columns, in minutes east of UTC; the database server's zone if undefined. Not used for
 *   `timestamp` columns, which the original created
 * @throws DatabaseError when tables or columns are missing
 */
export async function openOriginal(
  db: Knex,
  { prefix, timeZone }: { prefix: string; timeZone: number | undefined },
): Promise<Original> {
  const types = await columnTypes(db)
  const missing = ORIGINAL_TABLES.flatMap((table) =>
    [...COLUMNS[table], TIME_COLUMN[table]]
      .filter((column) => !types.has(`${prefix}${table}.${column}`))
      .map((column) => `${prefix}${table}.${column}`),
  )
  if (missing.length > 0)
    throw new DatabaseError(`this is no database of the original chat room: there is no ${missing.join(', no ')}`)
  for (const table of ORIGINAL_TABLES) {
    const type = types.get(`${prefix}${table}.${TIME_COLUMN[table]}`) ?? ''
    if (type !== 'timestamp' && type !== 'datetime')
      throw new DatabaseError(`${prefix}${table}.${TIME_COLUMN[table]} is a ${type}, not a timestamp or datetime`)
  }

  /** The server converts to a number, so that the time zones of this process and of the session do not matter. */
  const time = (table: OriginalTable) => {
    const column = TIME_COLUMN[table]
    return types.get(`${prefix}${table}.${column}`) === 'timestamp' || timeZone === undefined
      ? db.raw('round(unix_timestamp(??) * 1000) as time', [column])
      : db.raw("timestampdiff(microsecond, '1970-01-01', ??) div 1000 - ? as time", [column, timeZone * 60_000])
  }

  return {
    async count(table) {
      const [row] = await db(prefix + table).count({ rows: '*' })
      return Number(row?.rows)
    },

    async page(table, after, limit) {
      const rows = await db(prefix + table)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .select([...COLUMNS[table], time(table)] as string[])
      return rows.map((row) => ({ ...row, time: Math.max(0, Number(row.time)) }))
    },

    hasUser: async (name) =>
      (await db(`${prefix}userinfo`).whereRaw('binary username = ?', [name]).first('id')) !== undefined,

    async firstUnreadInGroups() {
      const rows: { target_id: number; first: number }[] = await db(`${prefix}chatmsg`)
        .where({ msg_type: 4, isActive: 1 })
        .whereNot({ isRead: 0 })
        .groupBy('target_id')
        .select('target_id', db.raw('min(id) as first'))
      return new Map(rows.map(({ target_id, first }) => [target_id, first]))
    },
  }
}

/** Data types of all columns of a MySQL database, by `table.column`. */
export async function columnTypes(db: Knex): Promise<ReadonlyMap<string, string>> {
  const rows: { column: string; type: string }[] = await db('information_schema.columns')
    .whereRaw('table_schema = database()')
    .select(db.raw("concat(table_name, '.', column_name) as `column`, data_type as `type`"))
  return new Map(rows.map(({ column, type }) => [column, type]))
}
