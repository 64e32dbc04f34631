import type { Knex } from 'knex'
import { isMysql } from './migrations/tables.ts'

/** Index entries that one statement scans, about: SQLite blocks the event loop while it scans. */
export const MAX_SCANNED = 10_000

/** Selects combined into one statement: SQLite allows 500, and compiling takes time for each. */
const SELECTS_PER_STATEMENT = 100

/**
 * The messages, read by target and lane. The hint, a comment to SQLite, lets MySQL and MariaDB start at an id or a sequence
 * number: by their statistics they often walk there from the end of the conversation.
 */
export const BY_LANE = 'chatmsg /*! force index (chatmsg_lane) */'

export type Select = readonly [sql: string, values: readonly (number | string)[]]

/** Runs a statement, and resolves with its rows. */
export type Ask = (sql: string, values: readonly (number | string)[]) => Promise<unknown[]>

export const asking =
  (db: Knex): Ask =>
  async (sql, values) => {
    const result = await db.raw(sql, values)
    return isMysql(db) ? result[0] : result
  }

/**
 * Runs a select for each item, combined with UNION ALL into few statements. The selects hold constants instead of columns
 * of a join, because MySQL starts an index range only at a constant.
 * @param costOf upper bound of the index entries that an item's select scans: a statement scans about MAX_SCANNED in all
 */
export async function selectForEach<T>(
  ask: Ask,
  items: readonly T[],
  select: (item: T) => Select,
  costOf: (item: T) => number = () => 0,
): Promise<unknown[]> {
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
