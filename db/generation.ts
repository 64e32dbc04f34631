import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'

const TABLE = 'chatctl_database'

/**
 * The generation of the database: random text that is new whenever the database may have gone back to an earlier state,
 * so that whoever remembers numbers of an earlier generation can tell that they may now name something else.
 */
export async function readEpoch(db: Knex): Promise<string> {
  const row = await db(TABLE).where({ name: 'epoch' }).first('value')
  return row?.value ?? ''
}

/** Begins a new generation; returns its name. */
export async function renewEpoch(db: Knex): Promise<string> {
  const epoch = randomBytes(12).toString('hex')
  await db(TABLE).where({ name: 'epoch' }).update({ value: epoch })
  return epoch
}
