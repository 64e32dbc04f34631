import type { Knex } from 'knex'
import { existing, flag } from './context.ts'
import type { Finding } from './ledger.ts'
import { TIME_COLUMN } from './original.ts'

/** A row that ties two others together, of a table where the original forgot that they may be tied only once. */
export interface PairRow {
  readonly id: number
  readonly one: number
  readonly other: number
  readonly time: number
  readonly isActive: number
}

interface Pairs {
  readonly table: 'chatroom_user' | 'userfriend'
  /** The columns of the two ends, and the tables that they name rows of. */
  readonly columns: readonly [one: string, other: string]
  readonly ends: readonly [one: string, other: string]
}

/**
 * Takes pairs, each once, under its lowest number: active if any of its rows is. A row whose end does not exist is
 * refused.
 */
export async function takePairs(
  trx: Knex.Transaction,
  { table, columns: [one, other], ends }: Pairs,
  rows: readonly PairRow[],
): Promise<Finding[]> {
  if (rows.length === 0) return []
  const findings: Finding[] = []
  const time = TIME_COLUMN[table]
  const ones = await existing(
    trx,
    ends[0],
    rows.map((row) => row.one),
  )
  const others = await existing(
    trx,
    ends[1],
    rows.map((row) => row.other),
  )
  const stored = await trx(table).whereIn(
    [one, other],
    rows.map((row) => [row.one, row.other]),
  )
  const kept = new Map<string, PairRow & { readonly isStored: boolean }>()
  for (const row of stored) {
    const pair = { id: row.id, one: row[one], other: row[other], time: row[time], isActive: row.isActive }
    kept.set(`${pair.one} ${pair.other}`, { ...pair, isStored: true })
  }
  const changed = new Set<string>()
  for (const row of rows) {
    const lost = [
      ones.has(row.one) ? '' : `${one} ${row.one}`,
      ones.has(row.one) && !others.has(row.other) ? `${other} ${row.other}` : '',
    ]
      .filter(Boolean)
      .join('')
    if (lost !== '') {
      findings.push({ table, id: row.id, outcome: 'refused', reason: 'names a row that does not exist', detail: lost })
      continue
    }
    const key = `${row.one} ${row.other}`
    const first = kept.get(key)
    if (first === undefined) {
      kept.set(key, { ...row, isActive: flag(row.isActive), isStored: false })
      continue
    }
    findings.push({ table, id: row.id, outcome: 'merged', reason: 'was there already', detail: `into ${first.id}` })
    if (first.isActive || !row.isActive) continue
    // Left and come back: since then.
    kept.set(key, { ...first, isActive: 1, time: row.time })
    changed.add(key)
  }
  const fresh = [...kept.values()].filter(({ isStored }) => !isStored)
  if (fresh.length > 0)
    await trx(table).insert(
      fresh.map((row) => ({
        id: row.id,
        [one]: row.one,
        [other]: row.other,
        [time]: row.time,
        isActive: row.isActive,
      })),
    )
  for (const key of changed) {
    const row = kept.get(key)
    if (row?.isStored)
      await trx(table)
        .where({ id: row.id })
        .update({ isActive: 1, [time]: row.time })
  }
  return findings
}
