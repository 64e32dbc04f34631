import type { Knex } from 'knex'
import { Refused } from '../../core/index.ts'
import { firstTextOf, type NewMessageRow, type Stored } from '../../db/index.ts'
import { FAILURES } from './failures.ts'

type Row = Pick<NewMessageRow, 'target_id' | 'msg_type' | 'msg'>

const isSameTarget = (one: Row, other: Row) => one.target_id === other.target_id && one.msg_type === other.msg_type

/** Whether two messages have the same recipient and text. */
export const isSame = (one: Row, other: Row) => isSameTarget(one, other) && one.msg === other.msg

/**
 * Checks a repeat against the text that the stored message was sent with: it may have been edited since [D-2].
 * @throws Refused `client_id_reused`
 */
export async function checkRepeat(db: Knex, wanted: Row, { id, row }: Pick<Stored, 'id' | 'row'>) {
  if (!isSameTarget(wanted, row) || (await firstTextOf(db, id)) !== wanted.msg)
    throw new Refused(FAILURES.client_id_reused)
}
