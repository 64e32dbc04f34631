import type { Knex } from 'knex'
import { createTable } from '../migrations/tables.ts'
import type { OriginalTable } from './original.ts'

/**
 * Outcome of a row that was not copied as it is: `merged` into another row, `refused`, copied with a value `changed`,
 * `added` because a counterpart was missing, or copied with a remark (`noted`).
 */
export type Outcome = 'merged' | 'refused' | 'changed' | 'added' | 'noted'

export interface Finding {
  readonly table: OriginalTable
  /** Id of the original's row, or of the new row if it was added. */
  readonly id: number
  readonly outcome: Outcome
  readonly reason: string
  readonly detail?: string
}

/** Rows of one table with the same outcome and reason. */
export interface FindingKind extends Pick<Finding, 'table' | 'outcome' | 'reason'> {
  readonly count: number
  readonly rows: readonly { readonly id: number; readonly detail: string }[]
}

/** Progress of a step. */
export interface Progress {
  readonly lastId: number
  readonly read: number
  readonly isDone: boolean
}

const STEPS = 'chatctl_adoption'
const FINDINGS = 'chatctl_adoption_row'

/** Tables in the target that record the progress of an adoption, written in the transaction of each page. */
export const LEDGER_TABLES = [STEPS, FINDINGS] as const

/** SQLite allows 500 rows per INSERT. */
const ROWS_PER_STATEMENT = 400
/** Lower than every id. */
const START = -(2 ** 53)
const BEGIN = 'begin'
const END = 'finish'

export async function createLedger(db: Knex) {
  if (!(await db.schema.hasTable(STEPS)))
    await createTable(db, STEPS, (table) => {
      table.string('step', 32).primary()
      table.bigInteger('last_id').notNullable()
      table.bigInteger('rows_read').notNullable().defaultTo(0)
      table.bigInteger('done_at')
      table.string('about', 255).notNullable().defaultTo('')
    })
  if (!(await db.schema.hasTable(FINDINGS)))
    await createTable(db, FINDINGS, (table) => {
      table.bigIncrements('id')
      table.string('of_table', 32).notNullable()
      table.bigInteger('row_id').notNullable()
      table.string('outcome', 16).notNullable()
      table.string('reason', 128).notNullable()
      table.string('detail', 255).notNullable().defaultTo('')
    })
}

/** Name of the source that was or is adopted into this database, if there is one. */
export async function sourceOf(db: Knex): Promise<string | undefined> {
  if (!(await db.schema.hasTable(STEPS))) return undefined
  return (await db(STEPS).where({ step: BEGIN }).first())?.about
}

export const isFinished = async (db: Knex): Promise<boolean> => (await progressOf(db, END)).isDone

export async function begin(trx: Knex, source: string) {
  await trx(STEPS).insert({ step: BEGIN, last_id: START, about: source, done_at: Date.now() })
}

export const finish = (trx: Knex) => markDone(trx, END)

export async function progressOf(db: Knex, step: string): Promise<Progress> {
  const row = await db(STEPS).where({ step }).first()
  if (row === undefined) return { lastId: START, read: 0, isDone: false }
  return { lastId: Number(row.last_id), read: Number(row.rows_read), isDone: row.done_at !== null }
}

/** Records progress and findings of a page, in the transaction that writes its rows. */
export async function advance(
  trx: Knex,
  step: string,
  { lastId, read }: Pick<Progress, 'lastId' | 'read'>,
  findings: readonly Finding[],
) {
  await trx(STEPS).insert({ step, last_id: lastId, rows_read: read }).onConflict('step').merge(['last_id', 'rows_read'])
  for (let from = 0; from < findings.length; from += ROWS_PER_STATEMENT)
    await trx(FINDINGS).insert(
      findings.slice(from, from + ROWS_PER_STATEMENT).map(({ table, id, outcome, reason, detail = '' }) => ({
        of_table: table,
        row_id: id,
        outcome,
        reason,
        detail: [...detail].slice(0, 255).join(''),
      })),
    )
}

export async function markDone(trx: Knex, step: string) {
  await trx(STEPS).insert({ step, last_id: START, done_at: Date.now() }).onConflict('step').merge(['done_at'])
}

/** Findings by kind, each with its count and its first `limit` rows. */
export async function findingKinds(db: Knex, limit: number): Promise<FindingKind[]> {
  const kinds = await db(FINDINGS)
    .groupBy('of_table', 'outcome', 'reason')
    .select('of_table', 'outcome', 'reason', db.raw('min(id) as first'), db.raw('count(*) as found'))
    .orderBy('first')
  const all: FindingKind[] = []
  for (const { of_table, outcome, reason, found } of kinds) {
    const rows = await db(FINDINGS).where({ of_table, outcome, reason }).orderBy('id').limit(limit)
    all.push({
      table: of_table,
      outcome,
      reason,
      count: Number(found),
      rows: rows.map(({ row_id, detail }) => ({ id: Number(row_id), detail })),
    })
  }
  return all
}
