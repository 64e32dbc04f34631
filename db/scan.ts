import type { Knex } from 'knex'
import { asking, BY_LANE, MAX_SCANNED, selectForEach } from './selects.ts'

/** Entries that the first slices have for rows that do not match. */
export const SPARE = 100
/** Each slice of a range is larger than the one before, because few of its rows match. */
const GROWTH = 4

/** Part of the index `chatmsg_lane`, and the rows wanted of it. */
export interface Range {
  readonly target: number
  readonly lane: number
  /** The column that orders it: `seq` in a group, `id` of private messages. */
  readonly order: 'seq' | 'id'
  /** Both ends are exclusive. */
  readonly above: number
  readonly below: number
  /** Condition on columns of the message, with the alias `m`. */
  readonly filter: string
  readonly values: readonly number[]
}

interface Direction {
  readonly newestFirst: boolean
}

/** A range that is being scanned. */
interface Scan {
  /** What is left of it. */
  range: Range
  /** What is left has only ids behind this one, in the order of the scan. */
  frontier: number
  /** Matches so far, in the order of the scan. */
  readonly hits: number[]
  /** Nothing is left, or enough was found. */
  isDone: boolean
}

/** How far a read has come. */
export interface Reach {
  /** Set if a read ended early, with fewer rows than its limit: it covers the ids up to this one; the next begins there. */
  readonly readTo?: number
}

/** Rows of one read. */
export interface Part<T> extends Reach {
  readonly found: T[]
}

export interface Scanned extends Reach {
  /** In the order of the scan. */
  readonly ids: number[]
}

/**
 * The first `limit` ids of several ranges in one order. Each statement scans a bounded number of entries. The slices of many
 * ranges begin small, because few ranges have entries among the first: only those are scanned further.
 */
export async function idsIn(
  db: Knex,
  ranges: readonly Range[],
  { limit, newestFirst, isBounded }: Direction & { limit: number; isBounded: boolean },
): Promise<Scanned> {
  const scans = ranges.map((range) => begin(range, newestFirst))
  const isEarlier = (a: number, b: number) => (newestFirst ? a > b : a < b)
  const byFrontier = (a: Scan, b: Scan) => (newestFirst ? b.frontier - a.frontier : a.frontier - b.frontier)
  if (scans.length > limit && !newestFirst) await findFirst(db, scans)
  let lagging = scans.filter(({ isDone }) => !isDone)
  let scanned = 0
  const first = Math.ceil((limit + SPARE) * Math.min(1, GROWTH / Math.min(limit, scans.length)))
  for (let size = first; lagging.length > 0; size = Math.min(size * GROWTH, MAX_SCANNED)) {
    // Of many ranges those that begin first: mostly they hold all that is wanted.
    const next = lagging.length > limit ? lagging.sort(byFrontier).slice(0, limit) : lagging
    await scanSlices(db, next, { size, limit, newestFirst })
    const last = sorted(scans, newestFirst)[limit - 1]
    lagging = scans.filter(({ isDone, frontier }) => !isDone && (last === undefined || isEarlier(frontier, last)))
    if (isBounded && lagging.length > 0 && scanned >= MAX_SCANNED) {
      const readTo = lagging.map(({ frontier }) => frontier).reduce((a, b) => (isEarlier(a, b) ? a : b))
      return { ids: sorted(scans, newestFirst).filter((id) => !isEarlier(readTo, id)), readTo }
    }
    scanned += Math.min(lagging.length, limit) * size * GROWTH
  }
  return { ids: sorted(scans, newestFirst).slice(0, limit) }
}

/** Moves the frontiers of oldest-first scans to their first entries. */
async function findFirst(db: Knex, scans: readonly Scan[]) {
  const rows = (await selectForEach(asking(db), [...scans.entries()], ([nth, { range }]) => {
    const { where, ends } = entriesOf(range)
    return [`select ? as nth, id from ${BY_LANE} where ${where} order by ${range.order} limit 1`, [nth, ...ends]]
  })) as { nth: number; id: number }[]
  for (const scan of scans) scan.isDone = true
  for (const { nth, id } of rows) Object.assign(scans[nth] as Scan, { isDone: false, frontier: id - 1 })
}

/** Entries of a range that are searched for the newest match, about. */
const MAX_SEARCHED = MAX_SCANNED / 2

/** The newest id of each range; undefined if none of its newest MAX_SEARCHED entries matches. */
export async function newestInEach(db: Knex, ranges: readonly Range[]): Promise<(number | undefined)[]> {
  const scans = ranges.map((range) => begin(range, true))
  let lagging = scans
  for (let size = 1; lagging.length > 0 && size <= MAX_SEARCHED; size *= GROWTH) {
    await scanSlices(db, lagging, { size, limit: 1, newestFirst: true })
    lagging = lagging.filter(({ isDone }) => !isDone)
  }
  return scans.map(({ hits }) => hits[0])
}

const begin = (range: Range, newestFirst: boolean): Scan => {
  const frontierOf = { id: newestFirst ? range.below : range.above, seq: newestFirst ? Number.MAX_SAFE_INTEGER : 0 }
  return { range, frontier: frontierOf[range.order], hits: [], isDone: false }
}

/** Condition on the entries of a range, and its values. */
const entriesOf = ({ target, lane, order, above, below }: Range) => ({
  where: `target_id = ? and lane = ? ${order === 'id' ? 'and seq is null' : ''} and ${order} > ? and ${order} < ?`,
  ends: [target, lane, above, below],
})

/** Without duplicates: slices overlap if a message becomes visible to MariaDB between the statements of a round. */
const sorted = (scans: readonly Scan[], newestFirst: boolean): number[] =>
  [...new Set(scans.flatMap(({ hits }) => hits))].sort((a, b) => (newestFirst ? b - a : a - b))

/** Scans the next `size` entries of each range. */
async function scanSlices(
  db: Knex,
  scans: readonly Scan[],
  { size, limit, newestFirst }: Direction & { size: number; limit: number },
) {
  const selects = scans.flatMap(({ range }, nth) => {
    const { order, above, below, filter, values } = range
    const { where, ends } = entriesOf(range)
    const direction = newestFirst ? 'desc' : 'asc'
    const sort = `order by ${order} ${direction}`
    const entries = below - above - 1
    const hits = {
      cost: Math.min(entries, size),
      // The limit of the inner select bounds the scan, whatever matches. It needs the index only: otherwise MariaDB
      // walks to the slice from the end of the range. The order of the join is fixed, because MariaDB reads all of
      // `chatmsg` first if it expects few matches.
      sql: `select /*! straight_join */ ? as nth, 0 as ends, m.id, slice.${order} as place
        from (select id, seq from ${BY_LANE} where ${where} ${sort} limit ?) as slice
        cross join chatmsg as m on m.id = slice.id
        where ${filter} order by slice.${order} ${direction} limit ?`,
      values: [nth, ...ends, size, ...values, limit],
    }
    if (entries <= size) return [hits]
    const end = {
      cost: size,
      sql: `select ? as nth, 1 as ends, id, ${order} as place from ${BY_LANE}
        where ${where} ${sort} limit 1 offset ?`,
      values: [nth, ...ends, size - 1],
    }
    return [hits, end]
  })
  const rows = await selectForEach(
    asking(db),
    selects,
    ({ sql, values }) => [sql, values],
    ({ cost }) => cost,
  )
  const before = scans.map(({ hits }) => hits.length)
  for (const scan of scans) scan.isDone = true
  for (const { nth, ends, id, place } of rows as { nth: number; ends: number; id: number; place: number }[]) {
    const scan = scans[nth] as Scan
    if (Number(ends) === 0) scan.hits.push(id)
    else {
      scan.frontier = id
      scan.range = { ...scan.range, ...(newestFirst ? { below: place } : { above: place }) }
      scan.isDone = false
    }
  }
  for (const [nth, scan] of scans.entries()) scan.isDone ||= scan.hits.length - (before[nth] as number) >= limit
}
