import type { Knex } from 'knex'
import { type FindingKind, findingKinds, isFinished, type Outcome, progressOf, sourceOf } from './ledger.ts'
import { ORIGINAL_TABLES, type OriginalTable } from './original.ts'

/** Row counts of one table: `read` is the sum of `taken`, `merged` and `refused`. */
export interface TableReport {
  readonly table: OriginalTable
  readonly read: number
  readonly taken: number
  readonly merged: number
  readonly refused: number
  readonly added: number
}

export interface AdoptionReport {
  /** Name of the source. */
  readonly source: string
  readonly isFinished: boolean
  readonly tables: readonly TableReport[]
  /** Rows that were not copied as they are, with reasons. Each kind lists MAX_ROWS_LISTED rows; the database has all. */
  readonly findings: readonly FindingKind[]
}

/** Rows listed per kind of finding. */
const MAX_ROWS_LISTED = 1000

/** Report of the adoption into this database so far; undefined if there was none. */
export async function adoptionReport(db: Knex): Promise<AdoptionReport | undefined> {
  const source = await sourceOf(db)
  if (source === undefined) return undefined
  const findings = await findingKinds(db, MAX_ROWS_LISTED)
  const count = (table: OriginalTable, outcome: Outcome) =>
    findings
      .filter((kind) => kind.table === table && kind.outcome === outcome)
      .reduce((sum, kind) => sum + kind.count, 0)
  const tables: TableReport[] = []
  for (const table of ORIGINAL_TABLES) {
    const { read } = await progressOf(db, table)
    const [merged, refused] = [count(table, 'merged'), count(table, 'refused')]
    tables.push({ table, read, taken: read - merged - refused, merged, refused, added: count(table, 'added') })
  }
  return { source, isFinished: await isFinished(db), tables, findings }
}
