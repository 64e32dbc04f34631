import type { Knex } from 'knex'
import { type FindingKind, findingKinds, isFinished, type Outcome, progressOf, sourceOf } from './ledger.ts'
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

export interface AdoptionReport {
  /** Where the rows came from. */
  readonly source: string
  readonly isFinished: boolean
  readonly tables: readonly TableReport[]
  /** What was not simply taken, and why. Each names its first ROWS_NAMED rows; the database remembers all of them. */
  readonly findings: readonly FindingKind[]
}

/** Bounds the report of a database that is mostly faults. */
const ROWS_NAMED = 1000

/** What an adoption has done so far, as the database that it fills remembers it; undefined if there was none. */
export async function adoptionReport(db: Knex): Promise<AdoptionReport | undefined> {
  const source = await sourceOf(db)
  if (source === undefined) return undefined
  const findings = await findingKinds(db, ROWS_NAMED)
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
