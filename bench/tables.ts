import type { Column, Output } from '../cli/output/output.ts'
import { RESULT_COLUMNS } from './load/index.ts'
import type { Measured } from './measured.ts'
import type { StoreResult } from './store.ts'

/** Row of the table of results. */
export interface Row extends Measured {
  /** `before` or `after`, if two versions are measured. */
  readonly version?: string | undefined
  /** Rate of the ceiling for the same shape, in the same unit. */
  readonly ceiling?: number
  /** `perSecond` divided by `ceiling`. */
  readonly ratio?: number
}

export const COLUMNS: readonly Column<Row>[] = [
  { title: 'version', value: ({ version }) => version },
  ...RESULT_COLUMNS,
  { title: 'max ms', value: ({ max }) => max?.toFixed(0) },
  { title: 'failed', value: ({ failed }) => failed },
  { title: 'longest turn ms', value: ({ longestTurn }) => longestTurn },
  { title: 'CPU ms each', value: ({ cpuMs }) => cpuMs.toFixed(4) },
  { title: 'RSS MB', value: ({ memory }) => Math.round(memory / 1024 ** 2) },
  { title: 'ceiling /s', value: ({ ceiling }) => ceiling && Math.round(ceiling).toLocaleString('en') },
  { title: 'of ceiling', value: ({ ratio }) => ratio && `${Math.round(ratio * 100)} %` },
  { title: 'stored', value: ({ stored }) => stored?.toLocaleString('en') },
]

export const STORE_COLUMNS: readonly Column<StoreResult>[] = [
  { title: 'database alone', value: ({ database }) => database },
  { title: 'writers', value: ({ writers }) => writers },
  { title: 'rows a transaction', value: ({ rowsATransaction }) => rowsATransaction },
  { title: 'rows/s', value: ({ rowsPerSecond }) => Math.round(rowsPerSecond).toLocaleString('en') },
]

/** Writes a table and an empty line; nothing for a table without rows. */
export async function writeTable<T extends object>(output: Output, rows: readonly T[], columns: readonly Column<T>[]) {
  if (rows.length === 0) return
  await output.list(rows, columns)
  await output.write('\n')
}
