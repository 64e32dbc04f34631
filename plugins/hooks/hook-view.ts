import type { Knex } from 'knex'
import { countDeadLetters, type HookRow, lastReason } from '../../db/index.ts'
import type { Hook } from './hook.ts'

/** A hook as an admin sees it. */
export interface HookView {
  readonly row: Hook['row']
  readonly state: Hook['state']
  /** Events that wait for an attempt. */
  readonly pending: number
  /** Events that were given up. */
  readonly dead: number
}

export const viewOf = ({ row, state, pending, dead }: Hook): HookView => ({ row, state, pending, dead: dead.count })

/** A hook of another node, as far as it is stored. */
export async function viewOfRow(db: Knex, row: HookRow): Promise<HookView> {
  const dead = await countDeadLetters(db, row.id)
  const isFailing = row.failing_since > 0
  const reason = row.disabled || (isFailing ? await lastReason(db, row.id) : '')
  const state = row.disabled !== '' ? 'disabled' : isFailing ? 'failing' : 'ok'
  return { row, state: { state, reason, failingSince: row.failing_since }, pending: row.pending.length, dead }
}
