import type { Knex } from 'knex'
import { type Finding, findings, isFinished, type Outcome, progressOf, sourceOf } from './ledger.ts'
import { ORIGINAL_TABLES, type OriginalTable } from './original.ts'

/** What became of the rows of one table: `read` is `taken`, `merged` and `refused` together. */
export interface TableReport {
  readonly table: OriginalTable
  readonly read: number
  readonly taken: number
  readonly merged: number
  readonly refused: number
  readonly added: number
}

/** Rows of one table to which the same happened, by their numbers. */
export interface FindingReport {
  readonly table: OriginalTable
  readonly outcome: Outcome
  readonly reason: string
  readonly rows: readonly { readonly id: number; readonly detail: string }[]
}

export interface AdoptionReport {
  /** Where the rows came from. */
  readonly source: string
  readonly isFinished: boolean
  readonly tables: readonly TableReport[]
  readonly findings: readonly FindingReport[]
}

/** What an adoption has done so far, as the database that it fills remembers it; undefined if there was none. */
export async function adoptionReport(db: Knex): Promise<AdoptionReport | undefined> {
  const source = await sourceOf(db)
  if (source === undefined) return undefined
  const found = await findings(db)
  const count = (table: OriginalTable, outcome: Outcome) =>
    new Set(found.filter((one) => one.table === table && one.outcome === outcome).map(({ id }) => id)).size
  const tables: TableReport[] = []
  for (const table of ORIGINAL_TABLES) {
    const { read } = await progressOf(db, table)
    const [merged, refused] = [count(table, 'merged'), count(table, 'refused')]
    tables.push({ table, read, taken: read - merged - refused, merged, refused, added: count(table, 'added') })
  }
  return { source, isFinished: await isFinished(db), tables, findings: grouped(found) }
}

function grouped(found: readonly Required<Finding>[]): FindingReport[] {
  const groups = new Map<string, FindingReport & { rows: { id: number; detail: string }[] }>()
  for (const { table, id, outcome, reason, detail } of found) {
    const key = `${table} ${outcome} ${reason}`
    const group = groups.get(key) ?? { table, outcome, reason, rows: [] }
    group.rows.push({ id, detail })
    groups.set(key, group)
  }
  return [...groups.values()]
}
