import type { Knex } from 'knex'
import { isMysql } from './migrations/tables.ts'
import { sqliteRows } from './sqlite-statements.ts'

/** Index entries that one statement scans, about. */
export const MAX_SCANNED = 10_000

/** Selects combined into one statement: compiling takes time for each. */
const SELECTS_PER_STATEMENT = 100

/**
 * The messages, read by target and lane. The hint, a comment to SQLite, lets MySQL and MariaDB start at an id or a sequence
 * number: by their statistics they often walk there from the end of the conversation.
 */
export const BY_LANE = 'chatmsg /*! force index (chatmsg_lane) */'

export type Select = readonly [sql: string, values: readonly (number | string)[]]

/** Runs a statement, and resolves with its rows. */
export interface Ask {
  (sql: string, values: Select[1]): Promise<unknown[]>
  /** Runs many one by one, where that costs no round trips. */
  readonly each?: (selects: readonly Select[]) => Promise<unknown[]>
}

export function asking(db: Knex): Ask {
  if (isMysql(db)) return async (sql, values) => (await db.raw(sql, values))[0]
  return Object.assign((sql: string, values: Select[1]) => sqliteRows(db, [[sql, values]]), {
    each: (selects: readonly Select[]) => sqliteRows(db, selects),
  })
}

/** The inside of `in (…)` for ids. On SQLite its text is the same for any number of them, so it is compiled once. */
export const listOf = (db: Knex, ids: readonly number[]): Select =>
  isMysql(db) ? [ids.map(Number).join(', ') || 'null', []] : ['select value from json_each(?)', [JSON.stringify(ids)]]

/**
 * Runs a select for each item: on SQLite one by one, each a prepared statement; otherwise combined with UNION ALL into few
 * statements. The selects hold constants instead of columns of a join, because MySQL starts an index range only at a
 * constant. Their text should be the same for all items, with the differences as values: then it is compiled once.
 * @param costOf upper bound of the index entries that an item's select scans: a statement scans about MAX_SCANNED in all
 */
export async function selectForEach<T>(
  ask: Ask,
  items: readonly T[],
  select: (item: T) => Select,
  costOf: (item: T) => number = () => 0,
): Promise<unknown[]> {
  if (ask.each !== undefined) return ask.each(items.map(select))
  const found: unknown[] = []
  for (const chunk of chunksByCost(items, costOf)) {
    const selects = chunk.map(select)
    const sql = selects.map(([text], index) => `select * from (${text}) as r${index}`).join(' union all ')
    for (const row of await ask(
      sql,
      selects.flatMap(([, values]) => values),
    ))
      found.push(row)
  }
  return found
}

function chunksByCost<T>(items: readonly T[], costOf: (item: T) => number): T[][] {
  const chunks: T[][] = []
  let cost = 0
  for (const item of items) {
    cost += costOf(item)
    const last = chunks.at(-1)
    if (last !== undefined && last.length < SELECTS_PER_STATEMENT && cost <= MAX_SCANNED) last.push(item)
    else {
      chunks.push([item])
      cost = costOf(item)
    }
  }
  return chunks
}
