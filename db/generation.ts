import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { DatabaseError } from './errors.ts'

const TABLE = 'chatctl_database'

/** State of the database as the data folder records it, to detect that an older state was restored by hand. */
export interface Remembered {
  /** The generation, see `readEpoch`. */
  readonly epoch: string
  /** Server starts on the database. */
  readonly starts: number
  /** The highest message id. */
  readonly newest: number
  /** SQLite: inode number of the file; 0 for MySQL. */
  readonly file: number
}

/**
 * The generation of the database (`epoch` on the wire): random text, renewed whenever an older state may have been
 * restored. Ids that a client remembers from another generation are stale: they may now name other messages.
 */
export async function readEpoch(db: Knex): Promise<string> {
  return (await read(db, 'epoch')) ?? ''
}

/** Begins a new generation. @returns its epoch */
export async function renewEpoch(db: Knex): Promise<string> {
  const epoch = newEpoch()
  await write(db, 'epoch', epoch)
  return epoch
}

export const newEpoch = () => randomBytes(12).toString('hex')

/**
 * Counts a server start, and begins a new generation when the database is older than the data folder's record: fewer
 * starts, fewer messages, or another file.
 * @param before the data folder's record, if there is one
 * @param isShared whether other nodes use the database: they go on with its generation
 * @throws DatabaseError when a shared database would get a new generation
 */
export async function countStart(
  db: Knex,
  { before, file, isShared }: { before: Remembered | undefined; file: number; isShared: boolean },
): Promise<Remembered & { readonly wentBack: boolean }> {
  const newest = await newestMessage(db)
  return db.transaction(async (trx) => {
    const starts = Number((await read(trx, 'starts')) ?? 0)
    const epoch = await readEpoch(trx)
    // A restore by chatctl has begun a new generation already.
    const isSame = before?.epoch === epoch
    const wentBack = isSame && (starts < before.starts || newest < before.newest || file !== before.file)
    if (wentBack && isShared)
      throw new DatabaseError(
        'the database is an earlier state than the one that this node knows, and other nodes use it: stop all nodes, ' +
          'then start this one first',
      )
    const now = { epoch: wentBack ? await renewEpoch(trx) : epoch, starts: starts + 1, newest, file, wentBack }
    await write(trx, 'starts', String(now.starts))
    return now
  })
}

/** False when another server was started on the database, or a backup restored, since `countStart`. */
export async function isSameService(db: Knex, { epoch, starts }: Remembered): Promise<boolean> {
  return (await readEpoch(db)) === epoch && Number(await read(db, 'starts')) === starts
}

/** The highest message id; 0 when there is none. */
export async function newestMessage(db: Knex): Promise<number> {
  const [row] = await db('chatmsg').max({ newest: 'id' })
  return Number(row?.newest ?? 0)
}

async function read(db: Knex, name: string): Promise<string | undefined> {
  return (await db(TABLE).where({ name }).first('value'))?.value
}

async function write(db: Knex, name: string, value: string) {
  await db(TABLE).insert({ name, value }).onConflict('name').merge(['value'])
}
