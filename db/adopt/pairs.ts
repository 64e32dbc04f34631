import type { Knex } from 'knex'
import { existingIds, flag } from './context.ts'
import type { Finding } from './ledger.ts'
import { TIME_COLUMN } from './original.ts'

/** A row that links two others. The original's tables lack a unique key, so a pair may occur several times. */
export interface PairRow {
  readonly id: number
  readonly one: number
  readonly other: number
  readonly time: number
  readonly isActive: number
}

interface Pairs {
  readonly table: 'chatroom_user' | 'userfriend'
  /** The two columns of the link, and the tables that they refer to. */
  readonly columns: readonly [one: string, other: string]
  readonly ends: readonly [one: string, other: string]
}

interface MergedPair extends PairRow {
  readonly isStored: boolean
  readonly isChanged: boolean
}

const keyOf = ({ one, other }: Pick<PairRow, 'one' | 'other'>) => `${one} ${other}`

/**
 * Copies pairs, each once with its lowest id: active if any of its rows is. Rows that refer to a missing row are refused.
 */
export async function copyPairs(trx: Knex.Transaction, pairs: Pairs, rows: readonly PairRow[]): Promise<Finding[]> {
  if (rows.length === 0) return []
  const { table } = pairs
  const findings: Finding[] = []
  const missingEnd = await missingEnds(trx, pairs, rows)
  const merged = await storedPairs(trx, pairs, rows)
  for (const row of rows) {
    const detail = missingEnd(row)
    if (detail !== undefined) {
      findings.push({ table, id: row.id, outcome: 'refused', reason: 'names a row that does not exist', detail })
      continue
    }
    const key = keyOf(row)
    const first = merged.get(key)
    if (first === undefined) {
      merged.set(key, { ...row, isActive: flag(row.isActive), isStored: false, isChanged: false })
      continue
    }
    findings.push({ table, id: row.id, outcome: 'merged', reason: 'was there already', detail: `into ${first.id}` })
    // Ended and renewed: counts from the renewal.
    if (!first.isActive && row.isActive) merged.set(key, { ...first, isActive: 1, time: row.time, isChanged: true })
  }
  await writePairs(trx, pairs, [...merged.values()])
  return findings
}

/** Returns a function that names the missing end of a row, undefined if both exist. */
async function missingEnds(
  trx: Knex.Transaction,
  { columns: [one, other], ends }: Pairs,
  rows: readonly PairRow[],
): Promise<(row: PairRow) => string | undefined> {
  const ones = await existingIds(
    trx,
    ends[0],
    rows.map((row) => row.one),
  )
  const others = await existingIds(
    trx,
    ends[1],
    rows.map((row) => row.other),
  )
  return (row) => {
    if (!ones.has(row.one)) return `${one} ${row.one}`
    return others.has(row.other) ? undefined : `${other} ${row.other}`
  }
}

/** The pairs of these rows that earlier pages have written. */
async function storedPairs(
  trx: Knex.Transaction,
  { table, columns: [one, other] }: Pairs,
  rows: readonly PairRow[],
): Promise<Map<string, MergedPair>> {
  const stored = await trx(table).whereIn(
    [one, other],
    rows.map((row) => [row.one, row.other]),
  )
  const pairs = stored.map((row) => ({
    id: row.id,
    one: row[one],
    other: row[other],
    time: row[TIME_COLUMN[table]],
    isActive: row.isActive,
    isStored: true,
    isChanged: false,
  }))
  return new Map(pairs.map((pair) => [keyOf(pair), pair]))
}

async function writePairs(
  trx: Knex.Transaction,
  { table, columns: [one, other] }: Pairs,
  merged: readonly MergedPair[],
) {
  const time = TIME_COLUMN[table]
  const added = merged.filter(({ isStored }) => !isStored)
  if (added.length > 0)
    await trx(table).insert(
      added.map((row) => ({
        id: row.id,
        [one]: row.one,
        [other]: row.other,
        [time]: row.time,
        isActive: row.isActive,
      })),
    )
  for (const { id, time: renewedAt } of merged.filter(({ isStored, isChanged }) => isStored && isChanged))
    await trx(table)
      .where({ id })
      .update({ isActive: 1, [time]: renewedAt })
}
